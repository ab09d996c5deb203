//! The storage machine over simulated disks, and defects that these runs must find.

use surgetank_lab::disk::world::{Host, Outcome, Violation, run};
use surgetank_venue::storage::{Config, Storage};

const SEEDS: u64 = 300;

fn storage(config: Config) -> Box<Host> {
    Box::new(Storage::new(config))
}

fn runs(seeds: std::ops::Range<u64>) -> Outcome {
    let mut sum = Outcome::default();
    for seed in seeds {
        let outcome = run(seed, &storage).unwrap_or_else(|broken| panic!("seed {seed}: {broken:?}"));
        sum.recovered += outcome.recovered;
        sum.refused += outcome.refused;
        sum.torn += outcome.torn;
        sum.records += outcome.records;
        sum.full += outcome.full;
        sum.restored += outcome.restored;
    }
    sum
}

#[test]
fn nothing_durable_is_lost_and_nothing_whole_is_refused() {
    let sum = runs(0..SEEDS);
    eprintln!("{sum:?}");
    let Outcome { recovered, refused, torn, records, full, restored } = sum;
    assert!(recovered > 300 && records > 3000, "{sum:?}");
    assert!(refused > 5 && torn > 20 && full > 20 && restored > 50, "{sum:?}");
}

#[test]
#[ignore = "soak: 100,000 runs"]
fn nothing_durable_is_lost_in_many_runs() {
    runs(0..100_000);
}

#[test]
#[ignore = "debug"]
fn one() {
    struct Loud(Storage);
    use surgetank_layer::machine::{Draws, Machine};
    use surgetank_venue::storage::effect::{Effect, Input, Output};
    impl Machine for Loud {
        type Input = Input;
        type Output = Output;
        fn step(&mut self, now: u64, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
            match &input {
                Input::Append(a) => eprintln!("> append {} bytes", a.payload.len()),
                Input::Snapshot { number, .. } => eprintln!("> snapshot {number}"),
                Input::Done(n, d) => eprintln!("> done {n} {}", format!("{d:?}").chars().take(60).collect::<String>()),
                input => eprintln!("> {input:?}"),
            }
            self.0.step(now, input, draws, out);
            for o in out.iter() {
                match o {
                    Output::Effect(n, Effect::Write { segment, offset, bytes }) => eprintln!("   {n} write {segment} {offset} {}", bytes.len()),
                    Output::Effect(n, Effect::WriteSuperblock { copy, .. }) => eprintln!("   {n} super {copy}"),
                    Output::Effect(n, Effect::WriteSnapshot { number, .. }) => eprintln!("   {n} write snapshot {number}"),
                    Output::Replay(r) => eprintln!("   replay {}", r.number),
                    Output::Restore(r) => eprintln!("   restore {}", r.number),
                    o => eprintln!("   {o:?}"),
                }
            }
        }
    }
    let seed = std::env::var("SEED").unwrap().parse().unwrap();
    eprintln!("{:?}", run(seed, &|config| Box::new(Loud(Storage::new(config)))));
}
