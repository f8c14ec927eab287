//! Histories that once broke a promise, each named after what must hold.

use crate::cases::play;
use crate::history::{BodyNo, Job, PathNo, Step};
use crate::hooked::Trouble;
use tidelock::engine::run::Which;

fn run(which: Which) -> Step {
    Step::Run(Job::plain(which), Trouble::None)
}

/// The state's base had what no snapshot names, and what was only there was overwritten.
#[test]
fn what_sync_without_backup_wrote_is_rescued_before_a_run_overwrites_it() {
    let job = Job {
        without_backup: true,
        ..Job::plain(Which::Sync)
    };
    play(&[
        Step::Write(PathNo(0), BodyNo(3)),
        Step::Run(job, Trouble::None),
        Step::Write(PathNo(0), BodyNo(5)),
        run(Which::Run),
    ]);
}

/// Rescued content was named for 90 days and locked for 60.
#[test]
fn locks_of_rescued_content_are_renewed() {
    play(&[
        Step::Stranger(0, BodyNo(3)),
        Step::Run(Job::permitted(Which::Run), Trouble::None),
        Step::Advance(31 * 24),
        run(Which::Run),
    ]);
}

/// What a rescue found stored already was named with the lock that it had then.
#[test]
fn a_rescue_that_finds_its_content_stored_extends_its_lock() {
    play(&[
        Step::Write(PathNo(3), BodyNo(2)),
        run(Which::Backup),
        Step::Foreign(PathNo(0), BodyNo(2)),
        Step::Advance(31 * 24),
    ]);
}

/// A snapshot in the middle of a run named versions whose locks were to be renewed at its end.
#[test]
fn locks_are_renewed_before_a_rescue_is_committed() {
    play(&[
        Step::Write(PathNo(0), BodyNo(3)),
        Step::Write(PathNo(1), BodyNo(4)),
        run(Which::Run),
        Step::Advance(40 * 24),
        Step::Foreign(PathNo(1), BodyNo(5)),
        run(Which::Run),
    ]);
}

/// `sync` alone renewed nothing, though its rescues are committed beside all that the parent names.
#[test]
fn sync_alone_renews_before_it_commits_a_rescue() {
    play(&[
        Step::Write(PathNo(0), BodyNo(3)),
        run(Which::Run),
        Step::Advance(31 * 24),
        Step::Foreign(PathNo(0), BodyNo(5)),
        run(Which::Sync),
    ]);
}

/// What `sync` had sent hid the path's last version from the checkpoint.
#[test]
fn a_checkpoint_names_the_last_version_of_what_sync_alone_has_sent_since() {
    let history = |at| {
        [
            Step::Write(PathNo(0), BodyNo(3)),
            Step::Write(PathNo(1), BodyNo(4)),
            run(Which::Run),
            Step::Write(PathNo(1), BodyNo(5)),
            run(Which::Sync),
            Step::Write(PathNo(0), BodyNo(6)),
            Step::Run(Job::plain(Which::Backup), Trouble::Interrupt { at }),
        ]
    };
    for at in 5..30 {
        play(&history(at));
    }
}

/// A Put whose answer was lost was looked up, and an old version was found with an old lock.
#[test]
fn a_version_that_is_found_after_a_lost_answer_gets_a_full_lock() {
    for at in 10..30 {
        play(&[
            Step::Write(PathNo(0), BodyNo(3)),
            run(Which::Backup),
            Step::Write(PathNo(0), BodyNo(5)),
            run(Which::Backup),
            Step::Advance(10 * 24),
            // The first write's lock is read back in any case.
            Step::Write(PathNo(9), BodyNo(6)),
            Step::Write(PathNo(0), BodyNo(3)),
            Step::Run(
                Job::plain(Which::Backup),
                Trouble::Fail {
                    at,
                    answered: false,
                    done: false,
                },
            ),
        ]);
    }
}

/// Each night counted what was gone from the library again, though the mirror had it no more.
#[test]
fn deletes_that_sync_alone_has_done_are_not_counted_again() {
    let mut history: Vec<Step> = (0..8).map(|n| Step::Write(PathNo(n), BodyNo(n))).collect();
    history.push(run(Which::Run));
    history.extend((0..5).map(|n| Step::Remove(PathNo(n))));
    history.push(Step::Run(Job::permitted(Which::Sync), Trouble::None));
    let mut world = crate::world::World::new();
    history.iter().for_each(|step| world.step(step));
    let ended = world.run(Job::plain(Which::Sync), Trouble::None).unwrap();
    assert_eq!(ended.exit, tidelock::model::ExitCode::Done, "{ended:?}");
}

/// A path that was refused as a whole kept its versions unnamed, and the lease said "clean".
#[test]
fn a_put_that_was_given_up_is_looked_for_by_the_next_run() {
    for from in 5..25 {
        for expired in [true, false] {
            play(&[
                Step::Write(PathNo(0), BodyNo(3)),
                Step::Write(PathNo(1), BodyNo(4)),
                Step::Run(Job::plain(Which::Backup), Trouble::Refuse { from, expired }),
                Step::LoseState,
                run(Which::Backup),
            ]);
        }
    }
}

/// A checkpoint named what had only moved with the lock that the content had where it was.
#[test]
fn a_checkpoint_extends_the_locks_of_what_it_names() {
    for at in 1..40 {
        play(&[
            Step::Write(PathNo(0), BodyNo(3)),
            Step::Write(PathNo(1), BodyNo(4)),
            run(Which::Run),
            Step::Advance(40 * 24),
            Step::Duplicate(PathNo(0), PathNo(5)),
            Step::Write(PathNo(1), BodyNo(5)),
            Step::Run(Job::permitted(Which::Run), Trouble::Interrupt { at }),
        ]);
    }
}

/// A second rescue of one run renewed by the listing that the run had begun with, and so forgot what the first had claimed.
#[test]
fn a_second_rescue_knows_the_claims_of_the_first() {
    let job = Job {
        checksum: true,
        ..Job::plain(Which::Sync)
    };
    let foreign = Trouble::Meddle {
        at: 1,
        key: "lib/b".to_owned(),
        body: Vec::new(),
    };
    play(&[
        Step::Write(PathNo(0), BodyNo(0)),
        run(Which::Sync),
        Step::Run(job, foreign),
    ]);
}
