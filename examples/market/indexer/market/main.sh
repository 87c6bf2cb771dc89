# Counts what happened to orders.
market_awk '
    !event_is_valid() { next }
    { seen[$2]++ }
    $2 == "submitted" { asked += $4 }
    $2 == "fulfilled" { paid += $5 }
    END {
        printf "submitted %d\nlocked %d\nfulfilled %d\n", seen["submitted"], seen["locked"], seen["fulfilled"]
        print "asked " units(asked)
        print "paid " units(paid)
    }
'
