#!/bin/sh
# Raises the version. Only the image that copies the whole context reads this file.
set -eu
printf '%s\n' "$1" >"$(dirname "$0")/../VERSION"
