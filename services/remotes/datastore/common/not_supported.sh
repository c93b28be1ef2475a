#!/bin/sh
# not_supported.sh, under the name of an action that a driver does not have: it fails and says so.
{
    echo "ERROR MESSAGE --8<------"
    echo "${0##*/}: Operation not supported"
    echo "ERROR MESSAGE ------>8--"
} >&2
exit 1
