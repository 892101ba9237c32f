// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of a limit for each packet. UDP packets are sent and received over the loopback device,
 * with a filter before the receiver (hook LOCAL_IN, which runs in softirq context) and without one.
 * A row is the difference.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bench.h"

#define GROUP	"packet"
#define KNOWN	64		/* source addresses */
#define SOURCE	0x7f010000	/* 127.1.0.0: all of 127.0.0.0/8 is local */

struct packets {
	int receiver;
	int sender[KNOWN];	/* each is bound to one address */
	int any;		/* not connected */
	struct sockaddr_in to;
};

static int udp_open(uint32_t address)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(address) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (address && bind(fd, (void *)&from, sizeof(from))))
		bench_die("UDP socket");
	return fd;
}

struct packets *packets_open(void)
{
	const struct timeval patience = { .tv_sec = 5 };
	struct packets *p = calloc(1, sizeof(*p));
	socklen_t length = sizeof(p->to);

	if (!p)
		bench_die("packets");
	p->receiver = udp_open(INADDR_LOOPBACK);
	if (setsockopt(p->receiver, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		bench_die("SO_RCVTIMEO");
	getsockname(p->receiver, (void *)&p->to, &length);
	p->any = udp_open(0);
	for (unsigned int i = 0; i < KNOWN; i++) {
		p->sender[i] = udp_open(SOURCE + i);
		if (connect(p->sender[i], (void *)&p->to, length))
			bench_die("connect");
	}
	return p;
}

void packets_close(struct packets *p)
{
	for (unsigned int i = 0; i < KNOWN; i++)
		close(p->sender[i]);
	close(p->any);
	close(p->receiver);
	free(p);
}

static void receive(struct packets *p)
{
	char message[64];

	/* the packet arrives during the call of the sender, with very rare exceptions */
	if (recv(p->receiver, message, sizeof(message), MSG_DONTWAIT) != 32 &&
	    recv(p->receiver, message, sizeof(message), 0) != 32)
		bench_die("a packet was dropped");
}

static void known(void *arg, uint64_t i)
{
	static const char message[32];
	struct packets *p = arg;

	if (send(p->sender[i % KNOWN], message, sizeof(message), 0) < 0)
		bench_die("send");
	receive(p);
}

void packet_send(struct packets *p, uint32_t n)
{
	char message[32] = { 0 }, control[CMSG_SPACE(sizeof(struct in_pktinfo))] = { 0 };
	struct iovec io = { .iov_base = message, .iov_len = sizeof(message) };
	struct msghdr head = {
		.msg_name = &p->to, .msg_namelen = sizeof(p->to),
		.msg_iov = &io, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&head);
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(SOURCE + n) };

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	if (sendmsg(p->any, &head, 0) < 0)
		bench_die("sendmsg");
	receive(p);
}

#define INSMOD	"insmod \"$WEIR_MODULES/weir_bench.ko\""
#define NFT	"nft 'add table ip bench; " \
		"add chain ip bench in { type filter hook input priority filter; };"
#define NFT_OFF	"nft delete table ip bench"
/* The limits are so high that no packet here exceeds them, in the units of each filter. */
#define HASHLIMIT " -A INPUT -m hashlimit --hashlimit-above 1000000/sec" \
		" --hashlimit-burst 1000000 --hashlimit-mode srcip --hashlimit-name bench" \
		" --hashlimit-htable-size 131072 --hashlimit-htable-max 131072" \
		" --hashlimit-htable-expire 3600000 -j DROP"
#define LEGACY_OFF "iptables-legacy -F && rmmod iptable_filter"

static const struct filter filter_hook = {
	"a hook that only accepts", INSMOD, "rmmod weir_bench",
};

static const struct filter filter_weir = {
	"weir, check by address from a hook",
	"weir limiter create bench-packet --key ip --rate 1000000/s --burst 1000000"
	" --max-keys 131072 && " INSMOD " limiter=bench-packet",
	"rmmod weir_bench && weir limiter delete bench-packet",
};

/* Ten per day, so that a key that was charged does not become idle, and is not dropped. */
const struct filter filter_weir_slow = {
	"weir, slow",
	"weir limiter create bench-packet --key ip --rate 10/d --max-keys 131072 && "
	INSMOD " limiter=bench-packet",
	"rmmod weir_bench && weir limiter delete bench-packet",
};

static const struct filter filter_nft = {
	"nft, a chain without a rule", NFT "'", NFT_OFF,
};

static const struct filter filter_nft_limit = {
	"nft, a limit for all packets together",
	NFT "add rule ip bench in limit rate over 1000000/second burst 1000000 packets drop'",
	NFT_OFF,
};

const struct filter filter_nft_set = {
	"nft, a set with a limit for each address",
	NFT "add set ip bench s { type ipv4_addr; size 131072; flags dynamic,timeout;"
	" timeout 1h; };"
	"add rule ip bench in add @s { ip saddr limit rate over 1000000/second"
	" burst 1000000 packets } drop'",
	NFT_OFF,
};

static const struct filter filter_legacy = {
	"iptables-legacy, tables without a rule",
	"iptables-legacy -L -n >/dev/null", LEGACY_OFF,
};

const struct filter filter_hashlimit = {
	"iptables-legacy, hashlimit by address",
	"iptables-legacy" HASHLIMIT, LEGACY_OFF,
};

static const struct filter filter_hashlimit_nft = {
	"iptables-nft, hashlimit by address",
	"iptables-nft" HASHLIMIT, "nft delete table ip filter",
};

static const struct filter *const filters[] = {
	&filter_hook, &filter_weir, &filter_nft, &filter_nft_limit, &filter_nft_set,
	&filter_legacy, &filter_hashlimit, &filter_hashlimit_nft,
};

bool filter_set(const struct filter *f)
{
	return !system(f->set);
}

void filter_clear(const struct filter *f)
{
	if (system(f->clear))
		bench_die(f->clear);
}

void bench_packet(void)
{
	struct packets *p = packets_open();
	double bare = bench_cost(known, p, 1), again;

	bench_figure(GROUP, "a packet sent and received, no filter", bare);
	for (unsigned int i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		if (!filter_set(filters[i])) {
			bench_missing(GROUP, filters[i]->name, "not to be had here");
			continue;
		}
		bench_figure(GROUP, filters[i]->name, bench_cost(known, p, 1) - bare);
		filter_clear(filters[i]);
	}
	/*
	 * after the filter is removed, the cost must be the same; otherwise the differences are
	 * wrong
	 */
	again = bench_cost(known, p, 1);
	if (again < bare * 0.99 || again > bare * 1.01)
		bench_figure(GROUP, "PACKETS WITHOUT A FILTER COST ANOTHER SUM NOW", again);
	packets_close(p);
}
