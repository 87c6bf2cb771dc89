# Runs an awk program that may use the library's functions.
market_awk() {
    program=$1
    shift
    awk "$@" "$AWK_LIBRARY$program"
}
