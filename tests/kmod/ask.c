// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of <linux/llamux_client.h>, as small as they come: it asks once as
 * it is loaded, and the answer is a parameter that can be read.
 *
 *	insmod ask.ko prompt="What is an inode?" && cat /sys/module/ask/parameters/answer
 *
 * "times" asks by as many threads at once; "cancel_ms" cancels after so long,
 * from a timer's interrupt; with "choices" the prompt is not answered, but
 * "scores" tells how likely each of them is. (tests/kernel/kapi_test.sh)
 */
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/llamux_client.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timer.h>

#define MAX_THREADS 32
#define SIZE 2048

static char *prompt = "What is an inode?";
module_param(prompt, charp, 0444);
static char *model;
module_param(model, charp, 0444);
static unsigned int timeout_ms = 60000;
module_param(timeout_ms, uint, 0444);
static unsigned int max_tokens = 32;
module_param(max_tokens, uint, 0444);
static unsigned int cancel_ms;
module_param(cancel_ms, uint, 0444);
static unsigned int times = 1;
module_param(times, uint, 0444);
static bool urgent;
module_param(urgent, bool, 0444);
static char answer[SIZE];
module_param_string(answer, answer, sizeof(answer), 0444);
static char *choices[8];
static int n_choices;
module_param_array(choices, charp, &n_choices, 0444);
static char scores[256];
module_param_string(scores, scores, sizeof(scores), 0444);
static int same;
module_param(same, int, 0444);

struct asker {
	struct llamux_client *client;
	struct timer_list timer;
	struct completion done;
	ssize_t ret;
	char text[SIZE];
};

static void on_timer(struct timer_list *t)
{
	struct asker *a = container_of(t, struct asker, timer);

	llamux_client_cancel(a->client);
}

static ssize_t ask(struct asker *a)
{
	struct llamux_params p;
	ssize_t n;

	llamux_client_get(a->client, &p);
	p.temperature_u = 0;
	p.max_tokens = max_tokens;
	if (max_tokens > 1000)
		p.flags |= LLAMUX_IGNORE_EOG;
	n = llamux_client_set(a->client, &p);
	if (n)
		return n;
	if (cancel_ms)
		mod_timer(&a->timer, jiffies + msecs_to_jiffies(cancel_ms));
	return llamux_client_ask(a->client, prompt, a->text, sizeof(a->text),
				 msecs_to_jiffies(timeout_ms));
}

static int asker_main(void *data)
{
	struct asker *a = data;

	timer_setup(&a->timer, on_timer, 0);
	a->client = llamux_client_open(model,
				       urgent ? LLAMUX_CLIENT_URGENT : 0);
	if (IS_ERR(a->client)) {
		a->ret = PTR_ERR(a->client);
	} else {
		a->ret = ask(a);
		timer_shutdown_sync(&a->timer);
		llamux_client_close(a->client);
	}
	complete(&a->done);
	return 0;
}

/* Answers of all threads; how many are as the first one's. */
static int ask_all(struct asker *a)
{
	struct task_struct *t;
	unsigned int i, n;

	for (n = 0; n < times; n++) {
		init_completion(&a[n].done);
		t = kthread_run(asker_main, &a[n], "ask%u", n);
		if (IS_ERR(t))
			break;
	}
	for (i = 0; i < n; i++) {
		wait_for_completion(&a[i].done);
		same += a[i].ret == a[0].ret && !strcmp(a[i].text, a[0].text);
	}
	strscpy(answer, a[0].text, sizeof(answer));
	return a[0].ret < 0 ? a[0].ret : 0;
}

/* Lines as "llamux score" prints them, in millionths. */
static int score_all(void)
{
	struct llamux_choice c[ARRAY_SIZE(choices)];
	struct llamux_client *client = llamux_client_open(model, 0);
	int err, i, n = 0;

	if (IS_ERR(client))
		return PTR_ERR(client);
	err = llamux_client_write(client, LLAMUX_ROLE_USER, prompt,
				  strlen(prompt), 0);
	if (!err)
		err = llamux_client_score(client,
					  (const char *const *)choices,
					  n_choices, c);
	for (i = 0; !err && i < n_choices; i++)
		n += scnprintf(scores + n, sizeof(scores) - n, "%lld %u %s\n",
			       c[i].lp_u, c[i].n_tokens, choices[i]);
	llamux_client_close(client);
	return err;
}

static int __init ask_init(void)
{
	struct asker *a;
	int err;

	if (n_choices)
		return score_all();
	if (!times || times > MAX_THREADS)
		return -EINVAL;
	a = kvcalloc(times, sizeof(*a), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	err = ask_all(a);
	kvfree(a);
	return err;
}

static void __exit ask_exit(void)
{
}

module_init(ask_init);
module_exit(ask_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Asks a language model, from inside the kernel");
