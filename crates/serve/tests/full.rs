//! A filesystem that is full, and has room again.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use surgetank_layer::message::{Body, OrderCancelRequest, Side};
use surgetank_serve::progress::Why;
use surgetank_venue::answer::{Answer, Refusal, Refused};
use surgetank_venue::request::{Action, Request};
use surgetank_venue::wire::{Down, Notice};

use crate::client::{Client, identity, order};
use crate::started::{DESK, LONG, drain, start};

/// A small filesystem, until it is dropped.
struct Small<'a>(&'a Path);

impl Small<'_> {
    /// None where mounting is not permitted.
    fn mount(at: &Path) -> Option<Small<'_>> {
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).output();
        status.is_ok_and(|output| output.status.success()).then_some(Small(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn cancel(cl_ord_id: u64) -> Request {
    let request = OrderCancelRequest { cl_ord_id, orig_cl_ord_id: 1, symbol: 0 };
    let body = Body::OrderCancelRequest(request);
    Request { number: 0, sender: 7, sent_ns: 1, action: Action::Message { body, padding: 0 } }
}

#[test]
fn a_full_disk_refuses_orders_and_serves_by_itself_when_it_has_room() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(_small) = Small::mount(directory.path()) else {
        println!("not tested: mounting a filesystem needs root");
        return;
    };
    let (running, _) = start(directory.path());
    let mut desk = Client::log_on(running.address(), identity("desk", DESK));
    let filler = directory.path().join("filler");
    let mut file = File::create(&filler).expect("there is room");
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);

    // Segments that were allocated before are the reserve.
    let mut sealed = 0;
    let mut ids = 1..5_000;
    let mut id = || ids.next().expect("the disk is full before");
    let refusal = loop {
        match desk.ask(&mut [order(7, id(), Side::Buy)])[..] {
            [Answer::Sealed(_)] => sealed += 1,
            [Answer::Refused(Refused { refusal, .. })] => break refusal,
            ref other => panic!("{other:?}"),
        }
    };
    assert_eq!(refusal, Refusal::DiskReserve);
    // What reduces risk passes, to the end of the reserve. Then the last request waits.
    let first = sealed;
    loop {
        desk.request(&mut [cancel(id())]);
        let is_sealed = desk.wait(|down| match down {
            Down::Answers(answers) => Some(matches!(answers.answers[..], [Answer::Sealed(_)])),
            Down::Notice(Notice::DiskFull) => Some(false),
            _ => None,
        });
        if !is_sealed {
            break;
        }
        sealed += 1;
    }
    assert!(sealed > first);
    desk.request(&mut [cancel(id())]);
    let refusal = desk.wait(|down| match down {
        Down::Answers(answers) => answers.answers.iter().find_map(|answer| match answer {
            Answer::Refused(refused) => Some(refused.refusal),
            _ => None,
        }),
        _ => None,
    });
    assert_eq!(refusal, Refusal::DiskFull);

    fs::remove_file(&filler).expect("it is there");
    let of_answers = |down: &Down| match down {
        Down::Answers(answers) => Some(answers.answers.clone()),
        _ => None,
    };
    assert!(matches!(desk.wait(of_answers)[..], [Answer::Sealed(_)]), "what has waited");
    sealed += 1;
    let begun = Instant::now();
    while !matches!(desk.ask(&mut [order(7, id(), Side::Buy)])[..], [Answer::Sealed(_)]) {
        assert!(begun.elapsed() < LONG, "it refuses although there is room");
        sleep(Duration::from_millis(50));
    }
    sealed += 1;
    let ended = drain(&running);
    assert_eq!((ended.why, ended.progress.sequence), (Why::Drained, sealed));
    let (running, recovery) = start(directory.path());
    assert_eq!((recovery.sequence, recovery.state_hash), (sealed, ended.state_hash));
    drain(&running);
}
