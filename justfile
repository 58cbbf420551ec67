# The commands of daily work. `just` lists them.

default:
    @just --list

# What decides whether a change is good: format, lints, docs, tests, licences.
ci:
    .ci/run

test:
    cargo test

# The tests that take minutes: many random cases, many kills, a minute of fuzzing a target.
soak:
    CYCLR_CI_INTEGRATIONS=1 bindings/python/test.sh
    CYCLR_FUZZ_SECONDS=60 PROPTEST_CASES=20000 cargo test --release -- --include-ignored
    just schedules
    just mutate
    just storm
    just cluster

# Kills cyclr at random moments and compares what is left with uninterrupted runs. More arguments: `--kills 100`.
storm *ARGUMENTS:
    cargo build --release
    python3 soak/storm.py {{ARGUMENTS}}

# Makes comparisons on a real Slurm of three emulated nodes and stops their units in every way. Root, on Debian.
cluster *ARGUMENTS:
    cargo build --release
    python3 soak/cluster.py {{ARGUMENTS}}

# Damages files of every kind and looks at what the commands that read them say. More arguments: `--files 200`.
mutate *ARGUMENTS:
    cargo build --release
    python3 soak/mutate.py {{ARGUMENTS}}

# Compares the rates of random specs with what the documentation says. More arguments: `--specs 200`.
schedules *ARGUMENTS:
    cargo build --release
    python3 soak/schedules.py {{ARGUMENTS}}

# Fuzzes a target with libFuzzer. Needs nightly Rust, a C++ compiler and cargo-fuzz; the targets are in fuzz/fuzz_targets, and
# inputs that reach new code go to fuzz/found.
fuzz TARGET SECONDS="60":
    mkdir -p fuzz/found/{{TARGET}}
    cargo +nightly fuzz run {{TARGET}} --features libfuzzer fuzz/found/{{TARGET}} fuzz/corpus/{{TARGET}} -- -max_total_time={{SECONDS}}

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
