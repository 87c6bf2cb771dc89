# Passes on the valid events, once each, and numbers them; says at the end how many it refused.
USAGE="<events"
cli "$@"

market_awk '
    !event_is_valid() { refused++; next }
    seen[$0]++ { next }
    { print ++number, $0 }
    END { if (refused) print "refused " refused > "/dev/stderr" }
'
