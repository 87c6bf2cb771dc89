# Finds the orders that were locked, not fulfilled, and are past their deadline.
USAGE="--block N <events"
cli "$@"
block=$(option --block '' "$@")
number --block "$block"

market_awk '
    !event_is_valid() { next }
    $2 == "locked" { prover[$3] = $4; deadline[$3] = $5 }
    $2 == "fulfilled" { delete deadline[$3] }
    END { for (order in deadline) if (deadline[order] + 0 < block) print order, prover[order], deadline[order] }
' -v block="$block" | sort
