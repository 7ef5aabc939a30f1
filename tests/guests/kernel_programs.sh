# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# Ways to have the kernel start a program outside, for tests: sh kernel_programs.sh WAY. One that works leaves a line
# with its name in /agents, which the program that was started writes, or changes a setting.
attack=${HOLDFAST_BUILD:-build}/tests/bin/attack_helper

# agent WAY [PATH]: a program that tells that it ran.
agent() {
  mkdir -p "$(dirname "${2:-/agent-$1}")"
  rm -f "${2:-/agent-$1}" # it may be a link to busybox
  printf '#!/bin/sh\necho %s >> /agents\n' "$1" > "${2:-/agent-$1}"
  chmod 755 "${2:-/agent-$1}"
}

# Makes a cgroup of this hierarchy empty: its agent runs, should the hierarchy have one and the cgroup say so.
release() {
  mkdir -p "$1/x"
  [ "$2" = said ] || echo 1 > "$1/x/notify_on_release"
  # shellcheck disable=SC2016  # the inner shell expands it
  sh -c 'echo $$ > "$1/x/cgroup.procs"' sh "$1"
  sleep 0.1
  rmdir "$1/x" # an agent cannot be changed as long as there are cgroups
}

# hierarchy NAME: made outside, before.
hierarchy() {
  mkdir -p "/v1/$1"
  mount -t cgroup -o "none,name=$1" cgroup "/v1/$1"
}

case $1 in
  prepare)
    hierarchy named
    hierarchy switched
    agent switched
    echo /agent-switched > /v1/switched/release_agent
    mkdir -p /v1/fresh /v1/configured /binfmt /sbin
    mount -t binfmt_misc binfmt_misc /binfmt
    mount -t securityfs securityfs /sys/kernel/security 2> /dev/null
    ;;
  core_pattern)
    agent core_pattern
    echo '|/agent-core_pattern' > /proc/sys/kernel/core_pattern
    sh -c 'kill -SEGV $$'
    ;;
  core_pattern_bound) # under another name
    agent core_pattern_bound
    : > /bound
    mount --bind /proc/sys/kernel/core_pattern /bound
    echo '|/agent-core_pattern_bound' > /bound
    sh -c 'kill -SEGV $$'
    ;;
  core_pattern_ring)
    agent core_pattern_ring
    "$attack" uring /proc/sys/kernel/core_pattern '|/agent-core_pattern_ring'
    sh -c 'kill -SEGV $$'
    ;;
  core_pattern_inherited) # a descriptor that came from outside
    agent core_pattern_inherited
    echo '|/agent-core_pattern_inherited' >&7
    sh -c 'kill -SEGV $$'
    ;;
  crash) # what a process outside has set
    sh -c 'kill -SEGV $$'
    ;;
  modprobe)
    agent modprobe
    echo /agent-modprobe > /proc/sys/kernel/modprobe
    "$attack" module 33
    ;;
  module)
    agent module /sbin/modprobe
    "$attack" module 33
    ;;
  poweroff_cmd) echo /agent > /proc/sys/kernel/poweroff_cmd ;;
  usermodehelper) cat /proc/sys/kernel/usermodehelper/bset > /saved && cat /saved > /proc/sys/kernel/usermodehelper/bset ;;
  release_agent)
    agent release_agent
    echo /agent-release_agent > /v1/named/release_agent
    release /v1/named
    ;;
  release_agent_handle)
    agent release_agent_handle
    "$attack" handle /v1/named/release_agent /agent-release_agent_handle
    release /v1/named
    ;;
  release_agent_option)
    agent release_agent_option
    mount -t cgroup -o none,name=fresh,release_agent=/agent-release_agent_option cgroup /v1/fresh
    release /v1/fresh
    ;;
  release_agent_fsconfig)
    agent release_agent_fsconfig
    "$attack" mount /v1/configured /agent-release_agent_fsconfig
    release /v1/configured
    ;;
  release_agent_remount)
    agent release_agent_remount
    hierarchy "remounted$$" # one that never had a cgroup
    "$attack" remount "/v1/remounted$$" /agent-release_agent_remount
    release "/v1/remounted$$"
    ;;
  notify_on_release) release /v1/switched ;;
  request-key)
    agent request-key /sbin/request-key
    "$attack" request-key
    ;;
  binfmt_misc) echo ':holdfast:E::holdfast::/agent:' > /binfmt/register ;;
  binfmt_misc_fixed)
    agent fixed
    echo ':holdfastf:E::holdfastf::/agent-fixed:F' > /binfmt/register
    ;;
  bridge-stp)
    agent bridge-stp /sbin/bridge-stp
    "$attack" bridge hfbr0
    ;;
  tomoyo) # the first execution of /sbin/init has the policy loaded, unless TOMOYO's profile is there it panics
    agent tomoyo /sbin/tomoyo-init
    rm -f /sbin/init
    printf '#!/bin/sh\n' > /sbin/init && chmod 755 /sbin/init
    printf 'PROFILE_VERSION=20150505\n0-COMMENT=none\n' > /sys/kernel/security/tomoyo/profile
    /sbin/init
    ;;
  firmware) printf /tmp > /sys/module/firmware_class/parameters/path ;;
  nfs) echo /agent > /sys/module/nfsv4/parameters/cache_getent ;;
  nfsd) echo /agent > /sys/module/nfsd/parameters/cltrack_prog ;;
  drbd) echo /agent > /sys/module/drbd/parameters/usermode_helper ;;
esac
