# The commands of daily work. `just` lists them.

default:
    @just --list

# What decides whether a change is good: format, lints, docs, tests, licences.
ci:
    .ci/run

test:
    cargo test

# The tests that take minutes: many random cases, many kills.
soak:
    PROPTEST_CASES=20000 cargo test --release -- --include-ignored

# The pictures of the policies' docs, made by the tool itself.
pictures:
    cargo build --release
    while read -r name spec; do \
        target/release/cyclr schedule "$spec" --updates 200 --out "crates/cyclr/doc/$name.svg"; \
    done < crates/cyclr/doc/pictures.txt

# Nanoseconds per `at()`, beside torch's schedulers where torch is installed.
bench-schedules:
    bench/schedules/run.sh

# The range test beside torch-lr-finder's, fastai's and Lightning's; FOLDER has CIFAR-10's binary files. Takes most of an hour.
bench-python FOLDER:
    bench/python/run.sh --cifar {{FOLDER}}
