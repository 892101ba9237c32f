// SPDX-License-Identifier: GPL-2.0-only
/* /dev/weir: open, close, ioctl, read, seek, poll. */

#include <linux/compat.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>

#include <uapi/linux/weir.h>

#include "compat/class.h"
#include "core/client.h"
#include "core/event.h"
#include "api/ioctl.h"
#include "core/request.h"

static int device_open(struct inode *inode, struct file *file)
{
	file->private_data = weir_client_open(file);
	if (!file->private_data)
		return -ENOMEM;
	/*
	 * read() and lseek() use the client's position in the events, not the file's; a read at an
	 * offset would ignore the offset
	 */
	file->f_mode &= ~(FMODE_PREAD | FMODE_PWRITE);
	file->f_mode |= FMODE_STREAM;
	return 0;
}

static int device_release(struct inode *inode, struct file *file)
{
	weir_client_close(file->private_data);
	return 0;
}

static ssize_t device_read(struct file *file, char __user *buffer, size_t length,
			   loff_t *ppos)
{
	struct weir_client *c = file->private_data;
	struct weir_event_reader *r;
	bool nonblock = file->f_flags & O_NONBLOCK;
	ssize_t n;

	for (;;) {
		if (READ_ONCE(c->shut))
			return -EBADF;
		if (length < WEIR_EVENT_SIZE_MAX)
			return -EINVAL;
		if (weir_client_lacks(c, WEIR_RESTRICT_EVENTS))
			return -EPERM;
		if (mutex_lock_interruptible(&c->event_lock))
			return -ERESTARTSYS;
		r = c->events;
		n = weir_event_read(r, c->cred, buffer, length);
		mutex_unlock(&c->event_lock);
		if (n)
			return n;
		if (nonblock)
			return -EAGAIN;
		n = weir_event_wait(r, &c->shut);
		/* events that the reader may not see prevent it from sleeping: check for signals */
		if (!n && signal_pending(current))
			n = -ERESTARTSYS;
		if (n)
			return n;
	}
}

static loff_t device_llseek(struct file *file, loff_t offset, int whence)
{
	struct weir_client *c = file->private_data;
	struct weir_event_reader *r;
	loff_t err = 0;
	u64 first, next;

	if (READ_ONCE(c->shut))
		return -EBADF;
	if (weir_client_lacks(c, WEIR_RESTRICT_EVENTS))
		return -EPERM;
	if (mutex_lock_interruptible(&c->event_lock))
		return -ERESTARTSYS;
	r = c->events;
	weir_event_range(r->stream, &first, &next);
	if (whence == SEEK_CUR && !offset)
		err = READ_ONCE(r->next);
	else if (whence != SEEK_SET || offset < 0 || offset > next)
		err = -EINVAL;
	else
		weir_event_seek(r, offset);
	mutex_unlock(&c->event_lock);
	return err ?: offset;
}

static __poll_t device_poll(struct file *file, poll_table *wait)
{
	struct weir_client *c = file->private_data;
	__poll_t events = 0;

	poll_wait(file, &c->pollers, wait);
	if (!weir_client_lacks(c, WEIR_RESTRICT_EVENTS))
		events = weir_event_poll(weir_client_reader(c), c->cred, wait);
	return events | weir_request_poll(c);
}

/**
 * weir_device_dup - open a file with the handles of another one
 * @c: the client of the other file
 * @flags: WEIR_DUP_CLOEXEC or 0
 *
 * The device is opened by the same path and with the credentials of the first open. So the new
 * client acts as the user that opened the first client, whichever process duplicates it.
 *
 * Context: may sleep.
 *
 * Return: the descriptor of the new file, or an errno.
 */
int weir_device_dup(struct weir_client *c, u32 flags)
{
	struct file *file, *from = c->file;
	int err, fd = get_unused_fd_flags(flags & WEIR_DUP_CLOEXEC ? O_CLOEXEC : 0);

	if (fd < 0)
		return fd;
	file = dentry_open(&from->f_path, from->f_flags, from->f_cred);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	err = file->f_op == from->f_op ? weir_client_copy(file->private_data, c) : -ENXIO;
	if (err) {
		fput(file);
		put_unused_fd(fd);
		return err;
	}
	fd_install(fd, file);
	return fd;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.unlocked_ioctl	= weir_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.read		= device_read,
	.llseek		= device_llseek,
	.poll		= device_poll,
};

static char *device_node(WEIR_DEVNODE_DEVICE *device, umode_t *mode)
{
	if (mode)
		*mode = 0660;
	return NULL;
}

static struct class *device_class;
static int major;

/*
 * Not a misc device: misc_open() calls open() under a mutex that all misc devices share. A task
 * that is throttled there, or whose memory cgroup is full, would delay the opens of all others.
 */
int weir_device_mod_init(void)
{
	struct device *device;
	int err;

	/* not a static one: the kernel may release it after the module is gone */
	device_class = weir_class_create("weir");
	if (IS_ERR(device_class))
		return PTR_ERR(device_class);
	device_class->devnode = device_node;
	major = __register_chrdev(0, 0, 1, "weir", &device_fops);
	if (major < 0) {
		err = major;
		goto no_major;
	}
	device = device_create(device_class, NULL, MKDEV(major, 0), NULL, "weir");
	if (!IS_ERR(device))
		return 0;
	err = PTR_ERR(device);
	__unregister_chrdev(major, 0, 1, "weir");
no_major:
	class_destroy(device_class);
	return err;
}

void weir_device_mod_exit(void)
{
	device_destroy(device_class, MKDEV(major, 0));
	__unregister_chrdev(major, 0, 1, "weir");
	class_destroy(device_class);
}
