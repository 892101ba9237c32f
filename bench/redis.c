// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redis as services use it to limit: a Lua script that does GCRA on one key, called by its hash
 * over a Unix socket. Client and server are measured together.
 */

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define GROUP	"redis"
#define SOCKET	"socket"	/* in its own folder */
#define KNOWN	1024

static const char script[] =
	"local now = redis.call('TIME')\n"
	"now = now[1] * 1000000 + now[2]\n"
	"local interval, tau = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
	"local tat = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)\n"
	"local new = tat + interval\n"
	"if new - now > tau then return {0, new - tau - now} end\n"
	"redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX',\n"
	"           math.ceil((new - now) / 1000))\n"
	"return {1, 0}\n";

struct redis {
	pid_t server;
	redisContext *context;
	char hash[64];
	char folder[32];
	char socket[48];
};

static void check(void *arg, uint64_t i)
{
	struct redis *r = arg;
	redisReply *reply = redisCommand(r->context, "EVALSHA %s 1 key:%llu %d %lld",
					 r->hash, (unsigned long long)i % KNOWN, 864,
					 86400000000LL);

	if (!reply || reply->type != REDIS_REPLY_ARRAY ||
	    reply->element[0]->integer != 1)
		bench_die("redis: EVALSHA");
	freeReplyObject(reply);
}

static void incr(void *arg, uint64_t i)
{
	struct redis *r = arg;
	redisReply *reply = redisCommand(r->context, "INCR counter:%llu",
					 (unsigned long long)i % KNOWN);

	if (!reply || reply->type != REDIS_REPLY_INTEGER)
		bench_die("redis: INCR");
	freeReplyObject(reply);
}

static void connect_to(struct redis *r)
{
	redisReply *reply;

	for (int tries = 0; tries < 200; tries++) {
		r->context = redisConnectUnix(r->socket);
		if (r->context && !r->context->err)
			break;
		usleep(50000);
	}
	if (!r->context || r->context->err)
		bench_die("redis: no server");
	reply = redisCommand(r->context, "SCRIPT LOAD %s", script);
	if (!reply || reply->type != REDIS_REPLY_STRING)
		bench_die("redis: SCRIPT LOAD");
	snprintf(r->hash, sizeof(r->hash), "%s", reply->str);
	freeReplyObject(reply);
}

struct redis *redis_start(void)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (!r)
		bench_die("redis");
	snprintf(r->folder, sizeof(r->folder), "/tmp/weir-bench.XXXXXX");
	if (!mkdtemp(r->folder))
		bench_die(r->folder);
	snprintf(r->socket, sizeof(r->socket), "%s/" SOCKET, r->folder);
	r->server = fork();
	if (!r->server) {
		/* it must end when this process ends */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
		       r->socket, "--save", "", "--appendonly", "no", "--dir", r->folder,
		       "--loglevel", "warning", "--logfile", "/dev/null", NULL);
		_exit(127);
	}
	connect_to(r);
	return r;
}

void redis_stop(struct redis *r)
{
	redisFree(r->context);
	kill(r->server, SIGTERM);
	waitpid(r->server, NULL, 0);
	unlink(r->socket);
	rmdir(r->folder);
	free(r);
}

/* One per hour, a day's worth saved up: no key expires before it is used. */
void redis_fill(struct redis *r, unsigned int keys)
{
	redisReply *reply;

	for (unsigned int i = 0; i < keys; i++) {
		reply = redisCommand(r->context, "EVALSHA %s 1 limit:127.%u.%u.%u %lld %lld",
				     r->hash, 1 + (i >> 16), i >> 8 & 255, i & 255,
				     3600000000LL, 86400000000LL);
		if (!reply || reply->type != REDIS_REPLY_ARRAY)
			bench_die("redis: EVALSHA");
		freeReplyObject(reply);
	}
}

static void lock(struct redis *r, const char *key, uint64_t ms)
{
	redisReply *reply = redisCommand(r->context, "SET %s " BENCH_VALUE " NX PX %llu",
					 key, (unsigned long long)ms);

	if (!reply || reply->type != REDIS_REPLY_STATUS)
		bench_die("redis: SET");
	freeReplyObject(reply);
}

void redis_fill_locks(struct redis *r, unsigned int keys)
{
	char key[32];

	for (unsigned int i = 0; i < keys; i++) {
		snprintf(key, sizeof(key), "lock:127.%u.%u.%u", 1 + (i >> 16),
			 i >> 8 & 255, i & 255);
		lock(r, key, 86400000);
	}
}

/* Does not check the owner; that would need a script, like GCRA. */
static void unlock(struct redis *r, const char *key)
{
	redisReply *reply = redisCommand(r->context, "DEL %s", key);

	if (!reply || reply->type != REDIS_REPLY_INTEGER || reply->integer != 1)
		bench_die("redis: DEL");
	freeReplyObject(reply);
}

static void lock_and_unlock(void *arg, uint64_t i)
{
	char key[32];

	snprintf(key, sizeof(key), "lock:%u", (unsigned int)(i % KNOWN));
	lock(arg, key, 86400000);
	unlock(arg, key);
}

/* Number of bytes that the server has allocated. */
uint64_t redis_memory(struct redis *r)
{
	redisReply *reply = redisCommand(r->context, "INFO memory");
	const char *line = reply && reply->str ? strstr(reply->str, "used_memory:") : NULL;
	uint64_t bytes;

	if (!line)
		bench_die("redis: INFO");
	bytes = strtoull(line + strlen("used_memory:"), NULL, 10);
	freeReplyObject(reply);
	return bytes;
}

void bench_redis(void)
{
	struct redis *r = redis_start();

	bench_row(GROUP, "INCR", incr, r, 1);
	bench_row(GROUP, "GCRA in Lua, known key, allowed", check, r, 1);
	redis_stop(r);
}

void bench_redis_lock(void)
{
	struct redis *r = redis_start();

	bench_row(GROUP, "lock: SET NX PX, and DEL, two calls", lock_and_unlock, r, 1);
	redis_stop(r);
}
