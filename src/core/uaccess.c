// SPDX-License-Identifier: GPL-2.0-only
/* Copies of structs that begin with their size, by the rules of uapi/linux/weir.h. */

#include <linux/mm.h>
#include <linux/uaccess.h>

#include "core/uaccess.h"

/**
 * weir_user_get - copy in a struct whose first member is its size
 * @to: the kernel's struct
 * @size: its size
 * @from: the user's struct
 * @min_size: size in the first version of the ABI
 *
 * Members that the user's struct does not have read as zero. The size member is set to the
 * user's size. Context: may sleep.
 *
 * Return: 0, -EINVAL (too short), -E2BIG (longer than the kernel's and not zero there, or
 *	longer than a page), -EFAULT.
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
	/* another thread may have changed it: keep the value that was checked */
	*(u32 *)to = user_size;
	return 0;
}

/**
 * weir_user_put - copy a struct out that weir_user_get() has copied in
 * @from: the kernel's struct; its size member still has the user's size
 * @size: its size
 * @to: the user's struct
 *
 * Members that the kernel's struct does not have are zeroed.
 *
 * Return: 0 or -EFAULT.
 */
int weir_user_put(const void *from, size_t size, u64 to)
{
	void __user *p = u64_to_user_ptr(to);
	u32 user_size = *(const u32 *)from;

	if (user_size > size && clear_user(p + size, user_size - size))
		return -EFAULT;
	return copy_to_user(p, from, min_t(size_t, size, user_size)) ? -EFAULT : 0;
}
