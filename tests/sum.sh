#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Adds up what the checks left:  tests/sum.sh FOLDER CHECK...
#
# FOLDER/CHECK holds "passed failed".  A check that left nothing did not build or died: one failure.
# Ends with 'N passed, M failed' alone on the last line; fails if M > 0 or nothing ran.
set -u
folder=$1 passed=0 failed=0
shift
for check in "$@"; do
    if read -r p f <"$folder/$check"; then
        passed=$((passed + p)) failed=$((failed + f))
    else
        echo "  FAIL ${check#check-}: see above"
        failed=$((failed + 1))
    fi 2>/dev/null
done
[ $((passed + failed)) -gt 0 ] || echo "knuckle: error: no test ran; is T or M right?"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
