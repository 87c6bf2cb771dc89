# Adds up what each prover earned.
market_awk '
    !event_is_valid() { next }
    $2 == "fulfilled" { earned[$4] += $5; orders[$4]++ }
    END { for (who in earned) print who, orders[who], units(earned[who]) }
' | sort
