# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
#
# Sourced by tests of sessions of ordinary users: users, policies, and a holdfastd that holds runs of alice (1000), of 1002 and of
# the group developers (77), but not of bob (1001).
. tests/guests/holdfastd.sh
attack=$HOLDFAST_BUILD/tests/bin/attack_session
hf=$HOLDFAST_BUILD/holdfast
mkdir -p /etc /policy /home/alice
[ -e /etc/passwd ] || echo 'root:x:0:0::/:/bin/sh' >/etc/passwd
[ -e /etc/group ] || echo 'root:x:0:' >/etc/group
printf 'alice:x:1000:1000::/home/alice:/bin/sh\nbob:x:1001:1001::/:/bin/sh\n' >>/etc/passwd
echo 'developers:x:77:' >>/etc/group
cat >/policy/sessions.toml <<'EOT'
version = 1
[sessions]
users = ["alice", 1002, "@developers"]
sessions = 3
members = 40
namespaces = 4
policies = 2
rules = 20
EOT
start_holdfastd --policy-dir /policy
cat >/tmp/box.toml <<'EOT'
version = 1
[profile.box]
namespaces.create = ["uts"]
namespaces.track = true
namespaces.visitors = "deny"
EOT
cat >/tmp/free.toml <<'EOT'
version = 1
[profile.box]
namespaces.track = true
EOT
cat >/tmp/third.toml <<'EOT'
version = 1
[profile.box]
namespaces.create = ["net"]
EOT
user() { # user UID [OPTION OF SETPRIV]... -- COMMAND...
  uid=$1
  shift
  setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}
alice() { user 1000 "$@"; }
bob() { user 1001 "$@"; }
held='run --backend lsm'
soon() { # soon COMMAND...: until it holds
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -gt $((600 * ${HOLDFAST_WAIT_FACTOR:-1})) ] && return 1
    sleep 0.1
  done
}
end_all() { # of the users
  for task in /proc/[0-9]*; do
    case $(stat -c %u "$task" 2>/dev/null) in 100[0-9]) kill -9 "${task#/proc/}" 2>/dev/null ;; esac
  done
}
sessions() { metric holdfast_sessions; }
no_sessions() { [ "$(sessions)" = 0 ]; }
as_many() { [ "$(sessions)" = "$1" ]; }
try_user='unshare -U true 2>/dev/null && echo made || echo refused'
chown 1000:1000 /home/alice

