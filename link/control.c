/* SPDX-License-Identifier: Apache-2.0 */
#include "link/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/cleanup.h"
#include "common/clock.h"

static const char *const names[HT_CONTROL_COUNT] = {
#define NAME(name, arguments, answer) #name,
	HT_CONTROL_COMMANDS(NAME)
#undef NAME
};

enum ht_control_command ht_control_find(const char *name)
{
	enum ht_control_command c = 0;

	while (c < HT_CONTROL_COUNT && strcmp(names[c], name) != 0)
		c++;
	return c;
}

const char *ht_control_name(enum ht_control_command c)
{
	return (unsigned)c < HT_CONTROL_COUNT ? names[c] : "?";
}

enum ht_code ht_control_parse(const char *line, size_t len,
			      enum ht_control_command *ret,
			      json_t **ret_arguments, struct ht_err *err)
{
	json_error_t why;
	json_auto_t *request =
		json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	const char *name;
	enum ht_control_command c;
	json_int_t version;

	if (!json_is_object(request))
		return ht_fail(err, HT_PROTOCOL,
			       "request is no JSON object: %s",
			       request ? "another type" : why.text);
	version = json_integer_value(json_object_get(request, "heaptide"));
	if (version != HT_CONTROL_VERSION)
		return ht_fail(
			err, HT_PROTOCOL,
			"control protocol version %lld, this daemon speaks %d",
			(long long)version, HT_CONTROL_VERSION);
	name = json_string_value(json_object_get(request, "command"));
	c = name ? ht_control_find(name) : HT_CONTROL_COUNT;
	if (c == HT_CONTROL_COUNT)
		return ht_fail(err, HT_USAGE, "unknown command '%.40s'",
			       name ? name : "");
	*ret = c;
	*ret_arguments = json_incref(request);
	return HT_OK;
}

static json_t *error_object(enum ht_code code, const struct ht_err *err)
{
	return json_pack("{s:s, s:s, s:s}", "code", ht_code_label(code),
			 "message", err ? err->msg : "", "hint",
			 err ? ht_err_hint(err) : ht_code_hint(code));
}

char *ht_control_answer(enum ht_code code, json_t *result,
			const struct ht_err *err)
{
	json_auto_t *answer =
		code == HT_OK ? json_pack("{s:b, s:o}", "ok", 1, "result",
					  result ? result : json_object())
			      : json_pack("{s:b, s:o}", "ok", 0, "error",
					  error_object(code, err));
	HT_AUTO_FREE char *text = NULL;
	char *line = NULL;

	if (code != HT_OK)
		json_decref(result);
	if (!answer)
		return NULL;
	text = json_dumps(answer, JSON_COMPACT);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

static enum ht_code connect_to(const char *path, int *ret, struct ht_err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	HT_AUTO_FD int fd = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return ht_fail(err, HT_USAGE, "socket path too long: %s", path);
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ht_fail_sys(err, HT_SYS, errno, "make a socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		bool denied = errno == EACCES || errno == EPERM;

		ht_err_put(err, denied ? HT_DENIED : HT_DAEMON, 0, errno,
			   "connect to %s", path);
		ht_err_advise(err, denied ? HT_HINT_GROUP : HT_HINT_CODE);
		return denied ? HT_DENIED : HT_DAEMON;
	}
	*ret = ht_take_fd(&fd);
	return HT_OK;
}

static enum ht_code wait_for(int fd, short what, int64_t deadline_ns,
			     const char *path, struct ht_err *err)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = what};
		int64_t left = (deadline_ns - ht_mono_ns()) / HT_NS_PER_MS;
		int n = poll(&p, 1, left > 0 ? (int)left : 0);

		if (n > 0)
			return HT_OK;
		if (n == 0)
			return ht_fail(err, HT_DAEMON,
				       "heaptided at %s did not answer in time",
				       path);
		if (errno != EINTR)
			return ht_fail_sys(err, HT_SYS, errno, "poll %s", path);
	}
}

static enum ht_code send_line(int fd, const char *line, int64_t deadline_ns,
			      const char *path, struct ht_err *err)
{
	size_t left = strlen(line);

	while (left > 0) {
		enum ht_code code =
			wait_for(fd, POLLOUT, deadline_ns, path, err);
		ssize_t n;

		if (code != HT_OK)
			return code;
		n = send(fd, line, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ht_fail_sys(err, HT_DAEMON, errno, "send to %s",
					   path);
		if (n > 0) {
			line += n;
			left -= (size_t)n;
		}
	}
	return HT_OK;
}

/* *ret: the line without its newline, to be freed. */
static enum ht_code receive_line(int fd, int64_t deadline_ns, const char *path,
				 char **ret, struct ht_err *err)
{
	HT_AUTO_FREE char *line = NULL;
	size_t used = 0, capacity = 0;

	for (;;) {
		enum ht_code code =
			wait_for(fd, POLLIN, deadline_ns, path, err);
		char *end;
		ssize_t n;

		if (code != HT_OK)
			return code;
		if (capacity - used < 4096) {
			char *grown = NULL;

			if (capacity < HT_CONTROL_ANSWER_MAX)
				grown = realloc(line, capacity * 2 + 8192);
			if (!grown)
				return ht_fail(err, HT_NOMEM,
					       "answer of %s too long", path);
			line = grown;
			capacity = capacity * 2 + 8192;
		}
		n = recv(fd, line + used, capacity - used - 1, MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return ht_fail_hint(
				err, used ? HT_PROTOCOL : HT_DENIED,
				used ? HT_HINT_CODE : HT_HINT_GROUP,
				"heaptided at %s closed the connection", path);
		end = memchr(line + used, '\n', (size_t)n);
		used += (size_t)n;
		if (end) {
			*end = '\0';
			*ret = ht_take_ptr(line);
			return HT_OK;
		}
	}
}

static enum ht_code remote_error(const json_t *error, struct ht_err *err)
{
	const char *label = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "message"));
	const char *hint = json_string_value(json_object_get(error, "hint"));
	enum ht_code code = HT_OK + 1;

	while (code < HT_CODE_COUNT &&
	       strcmp(ht_code_label(code), label ? label : "") != 0)
		code++;
	if (code == HT_CODE_COUNT)
		code = HT_PROTOCOL;
	return ht_fail_hint(err, code, ht_hint_find(hint ? hint : ""), "%s",
			    text ? text : "no message");
}

enum ht_code ht_control_call(const char *path, const char *command,
			     json_t *arguments, int timeout_ms, json_t **ret,
			     struct ht_err *err)
{
	int64_t deadline_ns = ht_mono_ns() + timeout_ms * HT_NS_PER_MS;
	json_auto_t *request = arguments ? json_copy(arguments) : json_object();
	json_auto_t *answer = NULL;
	HT_AUTO_FREE char *text = NULL, *line = NULL, *reply = NULL;
	HT_AUTO_FD int fd = -1;
	enum ht_code code;

	json_object_set_new(request, "heaptide",
			    json_integer(HT_CONTROL_VERSION));
	json_object_set_new(request, "command", json_string(command));
	text = json_dumps(request, JSON_COMPACT);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		return ht_fail(err, HT_NOMEM, "no memory for a request");
	code = connect_to(path, &fd, err);
	if (code == HT_OK)
		code = send_line(fd, line, deadline_ns, path, err);
	if (code == HT_OK)
		code = receive_line(fd, deadline_ns, path, &reply, err);
	if (code != HT_OK)
		return code;
	answer = json_loads(reply, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(answer))
		return ht_fail(err, HT_PROTOCOL, "%s answered with no JSON",
			       path);
	if (!json_is_true(json_object_get(answer, "ok")))
		return remote_error(json_object_get(answer, "error"), err);
	*ret = json_incref(json_object_get(answer, "result"));
	return HT_OK;
}
