# What every program of the market answers.

fail() { echo "$NAME: $*" >&2; exit 2; }

# Answers --version and --help; $USAGE is the program's own.
cli() {
    case ${1:-} in
        --version) echo "$NAME $VERSION"; exit 0 ;;
        --help) echo "usage: $NAME $USAGE"; exit 0 ;;
    esac
}

# Prints the value of the option $1 among the arguments that follow, or the default $2.
option() {
    wanted=$1 value=$2
    shift 2
    while [ $# -gt 0 ]; do
        case $1 in
            "$wanted") [ $# -gt 1 ] || fail "$wanted needs a value"; value=$2; shift ;;
            "$wanted"=*) value=${1#*=} ;;
        esac
        shift
    done
    printf '%s\n' "$value"
}

number() {
    case $2 in
        '' | *[!0-9]*) fail "$1 needs a number, not \`$2\`" ;;
    esac
}
