# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034  # used by who sources it
#
# Sets as_nobody (how to become an ordinary user), and holdfast and bin: the programs at a place that such a user
# can read, also when the build directory is in root's home.
if [ "$(id -u)" -eq 0 ]; then
  as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  nobody_folder=$(mktemp -d /tmp/nobody.XXXXXX)
  trap 'rm -rf "$nobody_folder"' EXIT
  mkdir "$nobody_folder/bin"
  cp "$HOLDFAST_BUILD"/holdfast "$nobody_folder/"
  cp "$HOLDFAST_BUILD"/tests/bin/{conform,conform_act,conform_batch,attack_*} "$nobody_folder/bin/"
  cp -r tests "$nobody_folder/tests"
  chmod -R a+rX "$nobody_folder"
  cd "$nobody_folder" || exit 1
  holdfast=$nobody_folder/holdfast
  bin=$nobody_folder/bin
else
  as_nobody=()
  holdfast=$HOLDFAST_BUILD/holdfast
  bin=$HOLDFAST_BUILD/tests/bin
fi
