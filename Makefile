# SPDX-License-Identifier: GPL-2.0-only
#
# The targets for users; kbuild itself reads only Kbuild. All results go to build/.

O	:= $(abspath build)
VERSION	:= $(shell cat VERSION)

# The kernel to build for: KDIR=DIR, or KERNELRELEASE=RELEASE, or the running
# one; if that has no headers (a container, a test machine), the newest installed one.
ifdef KERNELRELEASE
KDIR	?= /lib/modules/$(KERNELRELEASE)/build
else
KDIR	?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	     $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -rV) \
	     /lib/modules/$(shell uname -r)/build)
endif
# not kernel.release: on Debian 6.1 it differs from "uname -r"
RELEASE	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	  $(KDIR)/include/generated/utsrelease.h)

PREFIX	?= /usr
UDEVDIR	?= /lib/udev/rules.d
SYSUSERSDIR ?= /usr/lib/sysusers.d
MODDIR	= $(DESTDIR)/lib/modules/$(RELEASE)/updates
# the files needed to build a module that uses weir.ko
API	= $(DESTDIR)$(PREFIX)/src/weir-api

SUB	= $(MAKE) --no-print-directory O=$(O)
KSELFTEST = $(shell tests/vm/kernels path debug source)/tools/testing/selftests

.PHONY: all modules tools tests test test-all torture bench check demo shell install uninstall
.PHONY: dkms clean help
.DEFAULT_GOAL := all

##@ Building

all: modules tools				## build the module and the tool

modules:					## build weir.ko for KDIR or KERNELRELEASE
	@scripts/build-module $(O)/module $(KDIR)

tools:						## build libweir, the weir tool and manual pages
	@$(SUB) -C tools PREFIX=$(PREFIX)

tests:						## build the test programs
	@$(if $(wildcard tests/selftest/Makefile),\
		$(SUB) -C tests/selftest KSELFTEST=$(KSELFTEST))
	@$(if $(wildcard tests/scenarios/Makefile),$(SUB) -C tests/scenarios)
	@$(if $(wildcard tests/serial/Makefile),$(SUB) -C tests/serial)

##@ Trying and testing, in emulated machines; the packages needed are installed first

demo:						## show an SSH server that asks weir, on a stock kernel
	@scripts/bootstrap demo
	@tests/demo/run

shell:						## open a root shell in a test machine; KERNEL=6.1
	@scripts/bootstrap vm build
	@$(MAKE) --no-print-directory tools
	@tests/vm/run --kernel $(or $(KERNEL),6.1) --tty --timeout 0 -- bash -i || true

test:						## run all tests; the last line has the result
	@scripts/bootstrap test
	@tests/run $(TESTARGS)

test-all:					## run all tests in their long form, for hours
	@scripts/bootstrap test
	@tests/run --all $(TESTARGS)

torture:					## search for serial orders and make hostile calls, for an hour
	@scripts/bootstrap test
	@tests/torture $(TORTUREARGS)

bench:						## measure the cost of operations and of similar software
	@scripts/bootstrap bench
	@bench/run

check:						## run style and static checks
	@scripts/bootstrap check test
	@scripts/check

##@ Installing, as root; DESTDIR and PREFIX as usual

install: all					## install module, tool, library, manual pages, udev rule
	install -D -m 644 $(O)/module/weir.ko $(MODDIR)/weir.ko
	$(SUB) -C tools install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	install -D -m 644 include/linux/weir.h $(API)/linux/weir.h
	install -D -m 644 uapi/linux/weir.h $(API)/uapi/linux/weir.h
	install -D -m 644 $(O)/module/Module.symvers $(API)/$(RELEASE)/Module.symvers
	install -D -m 644 packaging/udev/60-weir.rules $(DESTDIR)$(UDEVDIR)/60-weir.rules
	install -D -m 644 packaging/udev/weir.sysusers $(DESTDIR)$(SYSUSERSDIR)/weir.conf
	$(if $(DESTDIR),,getent group weir >/dev/null || groupadd --system weir)
	$(if $(DESTDIR),,ldconfig; depmod $(RELEASE))
	$(if $(DESTDIR),,udevadm control --reload 2>/dev/null || true)

uninstall:					## remove what "make install" installed
	rm -f $(MODDIR)/weir.ko
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/weir lib/libweir.* \
		lib/pkgconfig/libweir.pc include/weir.h include/linux/weir.h \
		share/bash-completion/completions/weir \
		share/man/man1/weir.1 share/man/man3/libweir.3 share/man/man4/weir.4)
	rm -rf $(API)
	rm -f $(DESTDIR)$(UDEVDIR)/60-weir.rules $(DESTDIR)$(SYSUSERSDIR)/weir.conf
	$(if $(DESTDIR),,ldconfig; depmod $(RELEASE))

dkms:						## register the module with DKMS, and build and install it
	scripts/dkms-source /usr/src/weir-$(VERSION)
	dkms status weir/$(VERSION) | grep -q . && dkms remove weir/$(VERSION) --all || true
	dkms install weir/$(VERSION) -k $(RELEASE)

##@ Other

clean:						## remove build/
	rm -rf $(O)

help:						## list the targets
	@awk -F'[:#]+' '/^##@/ { sub(/^##@ */, ""); print "\n" $$0 ":" } \
		/^[a-z-]+:.*##/ { printf "  %-10s %s\n", $$1, $$NF }' Makefile
