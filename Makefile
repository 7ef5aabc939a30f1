# SPDX-License-Identifier: Apache-2.0
#
# A thin front: the build is CMake's and Ninja's (CMakePresets.json), the tests are tests/run's.

PRESET ?= release
PREFIX ?= /usr/local
DESTDIR ?=
FUZZ_S ?= 60

build_dir = $(if $(filter release,$(PRESET)),build,build/$(PRESET))

.PHONY: all setup configure build demo demo-vm test test-compat test-full test-fleet kernels bench install deb lint format fuzz clean help

all: build

setup:
	@tools/setup

configure: setup
	@cmake --preset $(PRESET) --log-level=WARNING > /dev/null

build: configure
	@cmake --build --preset $(PRESET)

demo: configure
	@cmake --build --preset $(PRESET) --target holdfast
	@HOLDFAST=$(build_dir)/holdfast examples/demo

# The first time it fetches a kernel.
demo-vm: build
	@tools/vm --fetch 7.3
	@HOLDFAST_BUILD=$(build_dir) examples/demo-vm

kernels: setup
	@tools/vm --fetch
	@tools/kernel-selftests $(build_dir)/tests/selftests

test: build kernels
	@tests/run --build $(build_dir) $(TEST_ARGS)

test-compat: build
	@tests/compat/run --build $(build_dir) $(TEST_ARGS)

test-full: build kernels
	@tools/kernel-7.4
	@tests/run --build $(build_dir) --full $(TEST_ARGS)

# Real engines on loopback; the first time it unpacks about 60 MB of packages into the cache.
test-fleet: build
	@HOLDFAST_BUILD=$(build_dir) tests/fleet/test_fleet.py $(FLEET_ARGS)

bench: build
	@bench/run

install: setup
	@cmake --preset release --log-level=WARNING -DCMAKE_INSTALL_PREFIX=$(PREFIX) > /dev/null
	@cmake --build --preset release
	@DESTDIR=$(DESTDIR) cmake --install build

deb: setup
	@cmake --preset release --log-level=WARNING > /dev/null
	@cmake --build --preset release
	@cd build && cpack -G DEB > /dev/null && ls -1 $(CURDIR)/build/*.deb

lint: build
	@tools/lint $(build_dir)

format: setup
	@tools/lint --format

fuzz: setup
	@cmake --preset fuzz --log-level=WARNING > /dev/null
	@cmake --build --preset fuzz
	@tools/fuzz build/fuzz $(FUZZ_S)

clean:
	@rm -rf build

help:
	@echo 'make            build/holdfast and build/holdfastd; installs missing packages first'
	@echo 'make demo       a program held in its namespaces, each refusal explained'
	@echo 'make demo-vm    the same in a guest with BPF LSM: the supervisor, an lsm run, a service'
	@echo 'make test       every suite, here and on a kernel or two each (TEST_ARGS="-k REGEX")'
	@echo 'make test-compat  programs of Debian, held against bare (docs/compatibility.md)'
	@echo 'make test-full  also the long ones: more races, five kernels for everything'
	@echo 'make test-fleet agents, etcd, rsyslog, PostgreSQL and Prometheus on loopback'
	@echo 'make bench      measurements'
	@echo 'make install    PREFIX=/usr/local DESTDIR='
	@echo 'make deb        build/holdfast_*.deb'
	@echo 'make lint       formatting, clang-tidy, shell scripts'
	@echo 'make format     put C and C++ into the house format'
	@echo 'make fuzz       each fuzz target for FUZZ_S=60 seconds'
	@echo 'make clean      remove build/'
	@echo 'PRESET=debug|asan|tsan builds and tests in build/PRESET instead'
