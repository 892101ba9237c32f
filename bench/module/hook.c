// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_bench - asks a limiter about each incoming IPv4 packet
 *
 * limiter=NAME: the key is the source address, and packets that are not allowed are dropped.
 * Without it every packet is accepted, which shows the cost of a hook that does nothing.
 */

#include <linux/err.h>
#include <linux/ip.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include <net/net_namespace.h>

#include <linux/weir.h>

static char *limiter;
module_param(limiter, charp, 0400);
MODULE_PARM_DESC(limiter, "name of the limiter to ask");

static unsigned int hook_accept(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	return NF_ACCEPT;
}

/* A packet is dropped on an error too, so that no other path is measured unnoticed. */
static unsigned int hook_check(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	int verdict = weir_limiter_check(priv, &ip_hdr(skb)->saddr, 4, 1, NULL);

	return verdict == WEIR_ALLOWED ? NF_ACCEPT : NF_DROP;
}

static struct nf_hook_ops ops = {
	.hook		= hook_accept,
	.pf		= NFPROTO_IPV4,
	.hooknum	= NF_INET_LOCAL_IN,
	.priority	= NF_IP_PRI_FILTER,
};

static int __init bench_init(void)
{
	struct weir_limiter *l = NULL;
	int err;

	if (limiter) {
		l = weir_limiter_get(limiter);
		if (IS_ERR(l))
			return PTR_ERR(l);
		ops.hook = hook_check;
		ops.priv = l;
	}
	err = nf_register_net_hook(&init_net, &ops);
	if (err)
		weir_limiter_put(l);
	return err;
}

static void __exit bench_exit(void)
{
	nf_unregister_net_hook(&init_net, &ops);
	/* earlier packets may still be in the hook */
	synchronize_net();
	weir_limiter_put(ops.priv);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Limits IPv4 packets by source address, for measurements");
MODULE_AUTHOR("The Weir developers");
MODULE_LICENSE("GPL");
