# What the virtual machine said, held against what is expected, and as a table.
# Sourced by `run`. It must not take silence for success. shellcheck shell=bash

# Prints what is wrong with the results of a kernel, a line each; nothing if all
# is as expected. Leaves one file for each job in $kernels/KERNEL/jobs.
judge() { # KERNEL
    local there=$kernels/$1 job name code seconds left expected=tests/kernels/expected/$1
    rm -rf "$there/jobs" "$there/ends"
    mkdir "$there/jobs"
    : >"$there/ends"
    touch "$there/results" "$there/console"
    # Only lines that carry this run's mark are the machine's own words.
    tr -d '\r' <"$there/results" | awk -v mark="$(cat "$there/mark")" -v there="$there" '
        $1 == mark && $2 == "begin" { file = there "/jobs/" $3; printf "" >file; next }
        $1 == mark && $2 == "end" { print $3, $4, $5, $6 >(there "/ends"); file = ""; next }
        $1 == mark && $2 == "done" { print "done" >(there "/ends"); next }
        $1 == mark && $2 == "kernel" { print $3 >(there "/release"); next }
        $1 == mark && $2 == "controllers" { $1 = $2 = ""; print >(there "/controllers"); next }
        file { print >file }'
    if grep -aE 'Kernel panic|Oops|BUG:|segfault|Out of memory' "$there/console"; then
        echo "kernel $1: the console has what stands above"
    fi
    [ "$(tail -n 1 "$there/ends")" = "done" ] || echo "kernel $1: the machine ended before its work did"
    for job in "$there"/todo/*; do
        name=${job##*/}
        if ! read -r _ code seconds left < <(grep "^$name " "$there/ends" || true); then
            echo "kernel $1: $name: no end of it was seen"
            continue
        fi
        [ "$left" = 0 ] || echo "kernel $1: $name: $left processes of the user are left"
        judge_job "$1" "$name" "$code" "$there/jobs/$name"
    done
    { diff <(sed -n 's/^row //p' "$expected") <(rows "$1" | cut -f1,2 | sed 's/\t/: /') || true; } |
        sed -nE "s/^</kernel $1: expected, and not so:/p; s/^>/kernel $1: not expected:/p"
}

# How many passed, failed and were ignored. A test that runs itself again has lines of its
# own before the last.
counts() { # FILE
    sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed; ([0-9]+) ignored; .*/\1 \2 \3/p' "$1" | tail -n 1
}

# One job: every test ran, and those and only those failed that are listed.
judge_job() { # KERNEL JOB CODE FILE
    local total passed failures ignored listed failed test=${2#*-}
    total=$(sed -n 's/^running \([0-9]*\) tests\?$/\1/p' "$4" | head -n 1)
    read -r passed failures ignored < <(counts "$4") || true
    if [ "${total:-0}" = 0 ] || [ "$total" != $((${passed:-0} + ${failures:-0} + ${ignored:-0})) ]; then
        echo "kernel $1: $2: not a whole run of tests (code $3):"
        tail -n 15 "$4"
        return
    fi
    failed=$(sed -nE 's/^test (.*) \.\.\. FAILED$/\1/p' "$4" | sort)
    listed=$(sed -nE "s/^fails $test ([^ ]+) .*/\1/p" "tests/kernels/expected/$1" | sort)
    if [ "$failed" != "$listed" ]; then
        comm -23 <(echo "$listed") <(echo "$failed") | grep . |
            sed "s/.*/kernel $1: $test: & passes or is missing, and is listed to fail/" || true
        comm -13 <(echo "$listed") <(echo "$failed") | grep . |
            sed "s/.*/kernel $1: $test: & fails/" || true
        # The reasons, as the tests give them.
        sed -n '/^failures:$/,/^failures:$/p' "$4" | head -n 200
    fi
    if [ -z "$failed" ] && [ "$3" != 0 ]; then
        echo "kernel $1: $2: exit code $3 without a failed test"
    fi
    diff <(sed -nE "s/^skips $test (.*)/\1/p" "tests/kernels/expected/$1" | sort) \
        <(sed -n 's/^skip: //p' "$4" | sort) |
        sed -nE "s/^</kernel $1: $test: listed as skipped, and is not:/p
            s/^>/kernel $1: $test: skips, and is not listed:/p" || true
}

# The rows of a kernel: name, state, detail, files of the jail that stand for it.
rows() { # KERNEL
    sed -n 's/^.*row\t//p' "$kernels/$1/jobs/00-table" 2>/dev/null || true
}

# What ran, and for how long.
summary() { # KERNEL
    local name code seconds left passed failures ignored
    [ ! -s "$kernels/$1/release" ] || echo "running $(cat "$kernels/$1/release"), controllers:$(cat "$kernels/$1/controllers")"
    while read -r name code seconds left; do
        [ "$name" != "done" ] || continue
        read -r passed failures ignored < <(counts "$kernels/$1/jobs/$name") || true
        printf '%-18s %5s s  %s passed; %s failed; %s ignored\n' "$name" "$seconds" \
            "${passed:-0}" "${failures:-0}" "${ignored:-0}"
    done <"$kernels/$1/ends"
}

# The table of these kernels, as Markdown.
table() { # KERNEL…
    local kernel name line
    line="| layer of \`strict\` |"
    for kernel in "$@"; do
        line+=" $(cat "$kernels/$kernel/release" 2>/dev/null || echo "$kernel") |"
    done
    echo "$line"
    printf '|---|'
    printf -- '---|%.0s' "$@"
    printf '\n'
    for kernel in "$@"; do
        rows "$kernel" | cut -f1
    done | awk '!seen[$0]++' | while read -r name; do
        line="| $name |"
        for kernel in "$@"; do
            line+=" $(cell "$kernel" "$name") |"
        done
        echo "$line"
    done
    line="| tests passed |"
    for kernel in "$@"; do
        line+=" $(passed "$kernel") |"
    done
    echo "$line"
}

# One cell: what the record and the plan say, unless a test of the jail that
# stands for the row failed there.
cell() { # KERNEL ROW
    local state detail files file failed
    IFS=$'\t' read -r state detail files < <(
        rows "$1" | awk -F'\t' -v OFS='\t' -v name="$2" '$1 == name { print $2, $3, $4 }'
    ) || true
    for file in ${files:-}; do
        failed=$(sed -nE "s/^test ($file::.*) \.\.\. FAILED$/\1/p" "$kernels/$1"/jobs/*-jail 2>/dev/null |
            grep -vxFf <(sed -nE 's/^fails jail ([^ ]+) .*/\1/p' "tests/kernels/expected/$1") || true)
        if [ "$state" != refused ] && [ -n "$failed" ]; then
            state="**fails**"
        fi
    done
    case ${detail:-} in
        '' | -) echo "${state:-**missing**}" ;;
        *) echo "$state ($detail)" ;;
    esac
}

# The number of tests that passed.
passed() { # KERNEL
    local job
    for job in "$kernels/$1"/jobs/[1-9]*; do
        [ ! -e "$job" ] || counts "$job"
    done | awk '{ n += $1 } END { print n + 0 }'
}

# Replaces the table in the section "Kernels" of the README.
into_readme() { # FILE
    awk -v file="$1" '
        /^## / { inside = ($0 == "## Kernels") }
        inside && /^\|/ {
            if (!done) while ((getline line <file) > 0) print line
            done = 1
            next
        }
        { print }
        END { exit !done }' README.md >"$kernels/README.md" || fail "README.md has no table in a section \`Kernels\`"
    cat "$kernels/README.md" >README.md
}
