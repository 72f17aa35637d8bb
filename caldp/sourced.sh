#!/bin/sh
# Prints a script that sets variables where it is sourced and prints them where it is run:
#
#   caldp/sourced.sh <its name> <program> <argument>...
#
# The program prints `export NAME='value'` lines. Links to it cannot be sourced: they are no text.
set -eu
name=$1
shift
cat <<END
#!/bin/sh
# $name: sourced by bash or zsh it sets variables, run it prints them.
case \${ZSH_EVAL_CONTEXT:-\${0##*/}} in
    $name | toplevel)
        PATH=\${0%/*}:\$PATH
        exec $* "\$@"
        ;;
    *)
        # The program is beside this file, wherever that was sourced from.
        # shellcheck disable=SC3028,SC3054
        if caldp_exports=\$(
            file=\${BASH_SOURCE:-\$0}
            PATH=\${file%/*}:\$PATH
            $* "\$@"
        ); then
            eval "\$caldp_exports"
            unset caldp_exports
        else
            unset caldp_exports
            false
        fi
        ;;
esac
END
