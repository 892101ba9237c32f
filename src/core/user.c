// SPDX-License-Identifier: GPL-2.0-only
/* The struct rules of uapi/linux/weir.h, in one place. */

#include <linux/mm.h>
#include <linux/uaccess.h>

#include "core/user.h"

/**
 * weir_user_get - copy a struct in whose first member is its size
 * @to: the kernel's struct
 * @size: its size
 * @from: the user's
 * @min_size: size in the first version of the ABI
 *
 * What the user's does not have reads as zero. The size member is replaced by
 * the user's size. Context: may sleep.
 * Return: 0, -EINVAL (too short), -E2BIG (longer than ours and not zero there, or
 * longer than a page), -EFAULT.
 */
int weir_user_get(void *to, size_t size, u64 from, size_t min_size)
{
	void __user *p = u64_to_user_ptr(from);
	u32 user_size;
	int err;

	if (get_user(user_size, (u32 __user *)p))
		return -EFAULT;
	if (user_size < min_size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	err = copy_struct_from_user(to, size, p, user_size);
	if (err)
		return err;
	/* it may have changed meanwhile: what was checked is what counts */
	*(u32 *)to = user_size;
	return 0;
}

/**
 * weir_user_put - copy a struct out to where weir_user_get() took it from
 * @from: the kernel's struct; its size member is still the user's size
 * @size: its size
 * @to: the user's
 *
 * What we do not have is filled with zeros. Return: 0 or -EFAULT.
 */
int weir_user_put(const void *from, size_t size, u64 to)
{
	void __user *p = u64_to_user_ptr(to);
	u32 user_size = *(const u32 *)from;

	if (user_size > size && clear_user(p + size, user_size - size))
		return -EFAULT;
	return copy_to_user(p, from, min_t(size_t, size, user_size)) ? -EFAULT : 0;
}
