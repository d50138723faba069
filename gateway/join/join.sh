#!/bin/sh
# Makes this machine one of a pool's: installs mlx-pool @VERSION@ where it is missing, and runs `mlx-pool join`.
#
#   curl -fsSL http://HOST:PORT/join | sh -s -- redis://HOST:PORT [more flags of mlx-pool join]
#
# There is no secret in here: the pool's password is asked for, or comes in MLX_POOL_REDIS_PASSWORD.
set -eu

version='@VERSION@'
wheel='@WHEEL@' # that version as the pool's gateway has it; nothing: it comes from the package index

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "mlx-pool: $*"
    exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

# What is installed reads nothing from stdin: there this script comes from.
get_uv() {
    if has uv; then
        return
    fi
    if has brew; then
        say "uv is missing, and is installed now: brew install uv"
        brew install --quiet uv </dev/null || fail "uv could not be installed: install it, then type the same line again."
        return
    fi
    # A Mac without developer tools has a python3 that only offers to install them.
    if ! has python3 || { [ "$(uname -s)" = Darwin ] && ! xcode-select -p >/dev/null 2>&1; }; then
        fail "uv is missing, and nothing here can get it: install uv (or, on a Mac, type xcode-select --install), then type the same line again."
    fi
    home="${XDG_DATA_HOME:-$HOME/.local/share}/mlx-pool/uv"
    say "uv is missing, and is installed now into $home, by pip"
    if ! { python3 -m venv "$home" && "$home/bin/pip" install --quiet --disable-pip-version-check uv; } </dev/null; then
        fail "uv could not be installed: install it, then type the same line again."
    fi
    PATH="$home/bin:$PATH"
}

install() {
    if [ -n "$wheel" ]; then
        say "installing mlx-pool $version, from the pool's gateway"
        if uv tool install --quiet --force --python '>=3.11' "mlx-pool[$1] @ $wheel" </dev/null; then
            return
        fi
        say "that did not work; from the package index, then"
    fi
    say "installing mlx-pool $version, from the package index"
    uv tool install --quiet --force --python '>=3.11' "mlx-pool[$1]==$version" </dev/null ||
        fail "mlx-pool $version could not be installed."
}

# A function, so that a script that came in part only does nothing.
main() {
    case "$(uname -s) $(uname -m)" in
    "Darwin arm64") extras=worker ;;
    Linux*) extras=worker,fast-cpu ;;
    *) fail "MLX runs on Macs with Apple silicon, and on Linux." ;;
    esac
    PATH="$HOME/.local/bin:$PATH"
    if ! has mlx-pool || [ "$(mlx-pool --version)" != "mlx-pool $version" ]; then
        get_uv
        install "$extras"
        PATH="$(uv tool dir --bin):$PATH"
    fi
    export PATH
    # To be asked for a password a person needs the terminal, where stdin is a pipe.
    if [ ! -t 0 ] && (: </dev/tty) 2>/dev/null; then
        exec mlx-pool join "$@" </dev/tty
    fi
    exec mlx-pool join "$@"
}

main "$@"
