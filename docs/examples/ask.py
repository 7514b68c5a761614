#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
"""Ask a question through libllamux, with nothing but Python's ctypes.

    ask.py QUESTION                 asks /dev/llama
    ask.py --file MODEL QUESTION    asks the engine in this process

The answer is printed piece by piece, as it comes.
"""
import argparse
import ctypes
import sys

IN_PROCESS = 1
PIECE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p,
                         ctypes.POINTER(ctypes.c_char), ctypes.c_size_t)


class Message(ctypes.Structure):
    """struct llamux_message"""
    _fields_ = [("text", ctypes.c_char * 328)]


class Options(ctypes.Structure):
    """struct llamux_options, up to the fields that this program sets; the
    library reads the rest, which stays zero."""
    _fields_ = [("flags", ctypes.c_uint32), ("model", ctypes.c_char_p),
                ("rest", ctypes.c_uint64 * 16)]


class Params(ctypes.Structure):
    """struct llamux_params, and room for what it may grow by"""
    _fields_ = [("temperature_u", ctypes.c_uint32),
                ("top_k", ctypes.c_uint32),
                ("top_p_u", ctypes.c_uint32),
                ("min_p_u", ctypes.c_uint32),
                ("repeat_penalty_u", ctypes.c_uint32),
                ("repeat_last_n", ctypes.c_uint32),
                ("presence_penalty_u", ctypes.c_int32),
                ("frequency_penalty_u", ctypes.c_int32),
                ("seed", ctypes.c_uint64),
                ("max_tokens", ctypes.c_uint32),
                ("flags", ctypes.c_uint32),
                ("priority", ctypes.c_uint32),
                ("rest", ctypes.c_uint32 * 33)]


def load_library():
    """libllamux, with the types of the calls used here."""
    lib = ctypes.CDLL("libllamux.so.0")
    handle = ctypes.c_void_p
    lib.llamux_open.argtypes = [ctypes.POINTER(handle),
                                ctypes.POINTER(Options),
                                ctypes.POINTER(Message)]
    for call in lib.llamux_get_params, lib.llamux_set_params:
        call.argtypes = [handle, ctypes.POINTER(Params)]
    lib.llamux_ask.argtypes = [handle, ctypes.c_char_p, PIECE, ctypes.c_void_p]
    lib.llamux_error.argtypes = [handle]
    lib.llamux_error.restype = ctypes.c_char_p
    lib.llamux_close.argtypes = [handle]
    lib.llamux_close.restype = None
    return lib


def print_piece(_ctx, text, size):
    """Called for every piece of the answer; not 0 would stop it."""
    sys.stdout.buffer.write(text[:size])
    sys.stdout.buffer.flush()
    return 0


def ask(lib, llama, question, tokens):
    """One greedy turn."""
    params = Params()
    ret = lib.llamux_get_params(llama, params)
    if ret == 0:
        params.temperature_u = 0
        params.max_tokens = tokens
        ret = lib.llamux_set_params(llama, params)
    if ret == 0:
        ret = lib.llamux_ask(llama, question.encode(), PIECE(print_piece), None)
    return ret


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--file", help="a model file: no module needed")
    parser.add_argument("--tokens", type=int, default=0, help="at most so many")
    parser.add_argument("question")
    args = parser.parse_args()

    lib = load_library()
    options = Options()
    if args.file:
        options.flags = IN_PROCESS
        options.model = args.file.encode()
    llama, message = ctypes.c_void_p(), Message()
    if lib.llamux_open(llama, options, message) < 0:
        sys.exit(message.text.decode())
    ret = ask(lib, llama, args.question, args.tokens)
    if ret < 0:
        print(lib.llamux_error(llama).decode(), file=sys.stderr)
    lib.llamux_close(llama)
    sys.exit(1 if ret < 0 else 0)


if __name__ == "__main__":
    main()
