/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LLAMUX_PROMPT_H
#define LLAMUX_PROMPT_H

struct llamux_model;
struct proc_dir_entry;

int llamux_prompt_init(struct proc_dir_entry *dir);
/* After the file was removed. */
void llamux_prompt_exit(void);
/* A model goes: end the conversations on it that nobody has open. */
void llamux_prompt_drop(struct llamux_model *m);
/* It is going to sleep: likewise, but others go on with it. */
void llamux_prompt_rest(struct llamux_model *m);

#endif
