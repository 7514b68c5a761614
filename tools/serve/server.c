// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gateway's listeners.
 *
 * Every connection has a thread, since a turn waits in libllamux. As many
 * again as a listener may have are taken to be told that they are too many;
 * beyond that the library closes them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "request.h"
#include "server.h"

#define HEADER_BYTES 16384	/* a connection's memory in the library */
#define STACK_BYTES (1024 * 1024)
#define IDLE_SECONDS 30		/* without a byte in or out */
#define BACKLOG 128
#define COMPILERS 2		/* grammars at a time: some 25 MB and 0.1 s at most */

/* ---- callbacks of the HTTP library ---- */

static void on_connection(void *ctx, struct MHD_Connection *mhd, void **socket,
			  enum MHD_ConnectionNotificationCode code)
{
	struct listener *l = ctx;
	struct server *s = l->server;
	const union MHD_ConnectionInfo *info;
	struct connection *c;
	bool allowed = false;
	uid_t uid = 0;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*socket)
			connection_close(*socket);
		*socket = NULL;
		return;
	}
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!l->tcp)
		allowed = peer_allowed(info->connect_fd, s->group, &uid);
	c = connection_open(&s->connections, info->connect_fd,
			    allowed ? CONNECTION_USER : CONNECTION_STRANGER);
	if (c) {
		c->tcp = l->tcp;
		c->allowed = allowed;
		c->uid = uid;
	}
	*socket = c;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *mhd,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *n, void **state)
{
	struct listener *l = ctx;
	struct request *r = *state;

	(void)version;
	if (!r) {
		r = request_new(l->server, mhd, url, method);
		if (!r)
			return MHD_NO;
		*state = r;
		request_check(r, method);
		return request_refused(r) ? reply_problem(r) : MHD_YES;
	}
	if (*n) {
		if (!request_body(r, data, *n))
			return MHD_NO;
		*n = 0;
		return MHD_YES;
	}
	if (r->connection)
		connection_phase(r->connection, CONNECTION_ANSWERING);
	return request_serve(r);
}

static void on_completed(void *ctx, struct MHD_Connection *mhd, void **state,
			 enum MHD_RequestTerminationCode code)
{
	struct request *r = *state;

	(void)ctx;
	(void)mhd;
	(void)code;
	if (!r)
		return;
	if (r->connection)
		connection_phase(r->connection, CONNECTION_ASKING);
	request_free(r);
	*state = NULL;
}

/* ---- sockets ---- */

static int fail(int fd, const char *what)
{
	int code = errno ? -errno : -EIO;

	fprintf(stderr, "llamux-serve: %s: %s\n", what, strerror(-code));
	if (fd >= 0)
		close(fd);
	return code;
}

/* Nobody listens on what is left of an earlier run. */
static void remove_stale(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (fd < 0)
		return;
	if (!lstat(sa->sun_path, &st) && S_ISSOCK(st.st_mode) &&
	    connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) &&
	    errno == ECONNREFUSED)
		unlink(sa->sun_path);
	close(fd);
}

static int listen_unix(struct server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const char *path = s->config->socket;
	mode_t mask;
	int fd, ret;

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(sa.sun_path))
		return fail(-1, path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(fd, path);
	remove_stale(&sa);
	mask = umask(0177);	/* 0600 until it has its group */
	ret = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	umask(mask);
	if (ret)
		return fail(fd, path);
	/* Without the right to, only the owner can use it: that is safe. */
	if (s->group != (gid_t)-1 && !chown(path, (uid_t)-1, s->group))
		chmod(path, 0660);
	if (listen(fd, BACKLOG)) {
		ret = fail(fd, path);
		unlink(path);
		return ret;
	}
	return fd;
}

static bool loopback(const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return sa->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080" */
static int resolve(const char *where, struct addrinfo **out)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE };
	char host[64];
	const char *port = strrchr(where, ':');
	size_t n = port ? (size_t)(port - where) : 0;
	int ret;

	if (n && where[0] == '[' && where[n - 1] == ']') {
		where++;
		n -= 2;
	}
	if (!port || !port[1] || port[1 + strspn(port + 1, "0123456789")] ||
	    strtoul(port + 1, NULL, 10) > 65535 || !n || n >= sizeof(host)) {
		fprintf(stderr, "llamux-serve: --listen: '%s' is not ADDRESS:PORT\n",
			where);
		return -EINVAL;
	}
	memcpy(host, where, n);
	host[n] = '\0';
	ret = getaddrinfo(host, port + 1, &hints, out);
	if (ret) {
		fprintf(stderr, "llamux-serve: --listen %s: %s\n", host,
			gai_strerror(ret));
		return -EINVAL;
	}
	if (loopback((*out)->ai_addr))
		return 0;
	fprintf(stderr, "llamux-serve: --listen %s: only loopback addresses: put a proxy with TLS before it for others\n",
		host);
	freeaddrinfo(*out);
	return -EINVAL;
}

static void note_address(struct server *s, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char host[48], port[8];

	if (getsockname(fd, (struct sockaddr *)&ss, &len) ||
	    getnameinfo((struct sockaddr *)&ss, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		return;
	snprintf(s->address, sizeof(s->address),
		 ss.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s",
		 host, port);
}

static int listen_tcp(struct server *s)
{
	struct addrinfo *ai;
	int fd, ret, on = 1;

	ret = resolve(s->config->listen, &ai);
	if (ret)
		return ret;
	fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, ai->ai_addr, ai->ai_addrlen) ||
	    listen(fd, BACKLOG)) {
		freeaddrinfo(ai);
		return fail(fd, s->config->listen);
	}
	freeaddrinfo(ai);
	note_address(s, fd);
	return fd;
}

/* ---- start and stop ---- */

static int listener_start(struct listener *l, struct server *s, bool tcp)
{
	int fd = tcp ? listen_tcp(s) : listen_unix(s);

	if (fd < 0)
		return fd;
	l->server = s;
	l->tcp = tcp;
	errno = 0;
	l->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION |
		MHD_USE_ITC, 0, NULL, NULL, on_request, l,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, 2 * s->config->connections,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, l,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	return l->daemon ? 0 : fail(fd, "the HTTP library");
}

static void find_group(struct server *s)
{
	struct group *g = getgrnam(s->config->group);

	s->group = g ? g->gr_gid : (gid_t)-1;
}

static int find_tokens(struct server *s)
{
	if (!s->config->listen)
		return 0;
	if (s->config->token_file)
		return tokens_file(&s->tokens, s->config->token_file);
	return tokens_make(&s->tokens);
}

/* Where it is, and the token of this run where no file has it. */
static void announce(const struct server *s)
{
	if (s->unix_socket.daemon)
		fprintf(stderr, "llamux-serve: listening on %s\n",
			s->config->socket);
	if (s->tcp.daemon && s->config->token_file)
		fprintf(stderr, "llamux-serve: listening on %s\n", s->address);
	else if (s->tcp.daemon)
		fprintf(stderr, "llamux-serve: listening on %s/#token=%s\n",
			s->address, s->tokens.list[0].text);
}

/* What requests share. */
static void shared_free(struct server *s)
{
	gate_free(&s->gate);
	gate_free(&s->compilers);
	backend_close(&s->backend);
	tokens_free(&s->tokens);
}

int server_start(struct server *s, const struct config *c)
{
	int ret;

	memset(s, 0, sizeof(*s));
	s->config = c;
	s->metrics.start_ns = now_ns();
	find_group(s);
	ret = salts_init(&s->salts);
	if (!ret)
		ret = find_tokens(s);
	if (!ret)
		ret = backend_open(&s->backend, c);
	if (ret) {
		tokens_free(&s->tokens);
		return ret;
	}
	gate_init(&s->gate, c->turns, c->queue);
	gate_init(&s->compilers, COMPILERS, UINT32_MAX);
	ret = connections_start(&s->connections, c->connections, c->timeout);
	if (ret) {
		shared_free(s);
		return ret;
	}
	if (c->socket)
		ret = listener_start(&s->unix_socket, s, false);
	if (!ret && c->listen)
		ret = listener_start(&s->tcp, s, true);
	if (ret)
		server_stop(s);
	else
		announce(s);
	return ret;
}

void server_stop(struct server *s)
{
	connections_drain(&s->connections);
	if (s->tcp.daemon)
		MHD_stop_daemon(s->tcp.daemon);
	if (s->unix_socket.daemon) {
		unlink(s->config->socket);
		MHD_stop_daemon(s->unix_socket.daemon);
	}
	connections_stop(&s->connections);
	shared_free(s);
}
