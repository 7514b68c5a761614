// SPDX-License-Identifier: MIT OR LGPL-2.1-or-later
/*
 * libllamux: /dev/llamactl.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"
#include "files.h"

static int fail(struct llamux_message *msg, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct llamux_message *msg, int code, const char *fmt, ...)
{
	va_list ap;

	if (msg) {
		va_start(ap, fmt);
		vsnprintf(msg->text, sizeof(msg->text), fmt, ap);
		va_end(ap);
	}
	return code;
}

static int ctl_open(struct llamux_message *msg)
{
	int fd = open(LLAMUX_CONTROL, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		return fail(msg, -ENXIO, "there is no %s: load the module "
			    "(modprobe llamux)", LLAMUX_CONTROL);
	return fail(msg, -errno, "%s: %s%s", LLAMUX_CONTROL, strerror(errno),
		    errno == EACCES || errno == EPERM ?
		    ": it is for root (sudo)" : "");
}

void llamux_model_name(const char *file, char name[LLAMUX_NAME_MAX])
{
	const char *base = strrchr(file, '/');
	size_t i, n;

	base = base ? base + 1 : file;
	n = strlen(base);
	if (n > 5 && !strcmp(base + n - 5, ".gguf"))
		n -= 5;
	/* "-00001-of-00003" says nothing about the model */
	if (n > 15 && !strncmp(base + n - 15, "-00001-of-", 10))
		n -= 15;
	if (n >= LLAMUX_NAME_MAX)
		n = LLAMUX_NAME_MAX - 1;
	for (i = 0; i < n; i++) {
		char c = base[i];
		int ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			 (c >= '0' && c <= '9') || strchr("._:-", c);

		name[i] = (char)(ok ? c : '_');
	}
	name[n] = '\0';
}

static const char *load_strerror(int code)
{
	switch (-code) {
	case EEXIST:
		return "a model of that name is loaded";
	case ETXTBSY:
		return "the file is open for writing";
	case ENOMEM:
		return "not enough memory";
	case EINTR:
		return "interrupted";
	default:
		return llamux_strerror(code);
	}
}

static int ctl_load(int fd, const char *file, const struct model_files *f,
		    struct llamux_load *load, struct llamux_message *msg)
{
	char why[LLAMUX_ERROR_MAX] = "";
	int ret;

	load->fds = (uintptr_t)f->fds;
	load->n_fds = f->n;
	load->message = (uintptr_t)why;
	load->message_size = sizeof(why);
	if (ioctl(fd, LLAMUX_CTL_LOAD, load) == 0)
		return 0;
	ret = -errno;
	why[sizeof(why) - 1] = '\0';
	return fail(msg, ret, "%.120s: %s", file,
		    why[0] ? why : load_strerror(ret));
}

int llamux_load_model(const char *file, const char *name,
		      const struct llamux_load *load,
		      struct llamux_message *msg)
{
	struct llamux_load copy = load ? *load : (struct llamux_load){ 0 };
	struct model_files *files;
	int fd, ret;

	if (name && strlen(name) >= sizeof(copy.name))
		return fail(msg, -EINVAL, "the name is too long");
	memset(copy.name, 0, sizeof(copy.name));
	if (name)
		strcpy(copy.name, name);
	else
		llamux_model_name(file, copy.name);
	files = malloc(sizeof(*files));
	if (!files)
		return fail(msg, -ENOMEM, "%s", strerror(ENOMEM));
	ret = model_files_open(files, file, copy.flags & LLAMUX_LOAD_STREAM);
	if (ret) {
		fail(msg, ret, "%s", files->message);
		goto out_free;
	}
	fd = ctl_open(msg);
	ret = fd;
	if (fd < 0)
		goto out_close;
	ret = ctl_load(fd, file, files, &copy, msg);
	close(fd);
out_close:
	model_files_close(files);
out_free:
	free(files);
	return ret;
}

/* @what the command is about, @missing what ENOENT says of it. */
static int ctl_call(unsigned long cmd, void *arg, const char *what,
		    const char *missing, struct llamux_message *msg)
{
	int fd = ctl_open(msg), ret = 0;

	if (fd < 0)
		return fd;
	if (ioctl(fd, cmd, arg)) {
		ret = -errno;
		fail(msg, ret, "%.80s: %s", what, ret == -ENOENT ? missing :
		     ret == -ETXTBSY ? load_strerror(ret) :
				       llamux_strerror(ret));
	}
	close(fd);
	return ret;
}

/* @to, of LLAMUX_NAME_MAX bytes, is zeroed. */
static int put_name(char *to, const char *name, struct llamux_message *msg)
{
	if (strlen(name) >= LLAMUX_NAME_MAX)
		return fail(msg, -ENOENT, "%.80s...: no such model", name);
	strcpy(to, name);
	return 0;
}

static int ctl_name(unsigned long cmd, const char *name,
		    struct llamux_message *msg)
{
	struct llamux_name arg = { 0 };
	int ret = put_name(arg.name, name, msg);

	return ret ? ret : ctl_call(cmd, &arg, name, "no such model", msg);
}

int llamux_change_model(const char *name, struct llamux_attr *attr,
			struct llamux_message *msg)
{
	int ret;

	memset(attr->name, 0, sizeof(attr->name));
	ret = put_name(attr->name, name, msg);
	return ret ? ret : ctl_call(LLAMUX_CTL_ATTR, attr, name,
				    "no such model", msg);
}

int llamux_limit_user(const struct llamux_limit *limit,
		      struct llamux_message *msg)
{
	struct llamux_limit copy = *limit;
	char what[32];

	snprintf(what, sizeof(what), "user %u", limit->uid);
	return ctl_call(LLAMUX_CTL_LIMIT, &copy, what, "no such user", msg);
}

int llamux_register_prompt(const char *model, const char *text, size_t n,
			   struct llamux_message *msg)
{
	struct llamux_prefix p = { .text = (uintptr_t)text,
				   .len = (uint32_t)n };
	int ret = model ? put_name(p.name, model, msg) : 0;

	if (!ret && n > UINT32_MAX)
		ret = fail(msg, -EMSGSIZE, "%s", llamux_strerror(-EMSGSIZE));
	return ret ? ret : ctl_call(LLAMUX_CTL_PREFIX, &p,
				    model ? model : "the default model",
				    "no such model", msg);
}

int llamux_forget_prompt(const char *model, uint64_t id,
			 struct llamux_message *msg)
{
	struct llamux_prefix p = { .id = id };
	char what[32];
	int ret = 0;

	if (id) {
		p.flags = LLAMUX_PREFIX_REMOVE;
		snprintf(what, sizeof(what), "prompt %llu",
			 (unsigned long long)id);
		return ctl_call(LLAMUX_CTL_PREFIX, &p, what, "no such prompt",
				msg);
	}
	p.flags = LLAMUX_PREFIX_DROP;
	if (model)
		ret = put_name(p.name, model, msg);
	return ret ? ret : ctl_call(LLAMUX_CTL_PREFIX, &p,
				    model ? model : "the default model",
				    "no such model", msg);
}

int llamux_unload_model(const char *name, struct llamux_message *msg)
{
	return ctl_name(LLAMUX_CTL_UNLOAD, name, msg);
}

int llamux_default_model(const char *name, struct llamux_message *msg)
{
	return ctl_name(LLAMUX_CTL_DEFAULT, name, msg);
}

int llamux_load_progress(const char *name, uint64_t *done, uint64_t *total)
{
	struct llamux_progress p = { 0 };
	int fd, ret = 0;

	if (strlen(name) >= sizeof(p.name))
		return -ENOENT;
	strcpy(p.name, name);
	fd = ctl_open(NULL);
	if (fd < 0)
		return fd;
	if (ioctl(fd, LLAMUX_CTL_PROGRESS, &p))
		ret = -errno;
	close(fd);
	*done = p.done;
	*total = p.total;
	return ret;
}
