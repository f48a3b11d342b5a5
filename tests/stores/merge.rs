//! Conflicts that git leaves between two branches of a store, settled by `doorkey store check --fix`.

use std::fs;

use support::{Ended, Place};

/// A shell's script with git, as the owner of a key. `put NAME VALUE` sets a secret of the team,
/// `both` merges the branch `theirs` and leaves its conflicts.
pub fn by(place: &Place, key: &str, script: &str) -> Ended {
    let set = "export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t
        put() { printf %s \"$2\" | doorkey secret set $1 --team; }
        keep() { git add -A secrets; git commit -qm \"$1\"; }
        both() { git merge -q theirs >/dev/null 2>&1 && echo 'there is no conflict' && exit 1 || :; }\n";
    let run = place.shell(&format!("{set}{script}"));
    let file = place.path(&format!("{key}.key"));
    run.env("DOORKEY_KEY_FILE", file)
        .env("DOORKEY_QUIET", "1")
        .ok()
}

/// A store in git with three secrets, whose key is `own`; the keys `ann` and `bob` beside it.
fn store() -> (Place, [String; 3]) {
    let (place, own) = Place::with_own_key();
    let others = ["ann", "bob"].map(|name| place.key(name));
    for (scope, name) in SECRETS {
        place.set(scope, name, format!("first {name}"));
    }
    by(
        &place,
        "own",
        "git config --global init.defaultBranch ours
        git init -q .; keep made",
    );
    let [ann, bob] = others;
    (place, [own, ann, bob])
}

const SECRETS: [(&str, &str); 3] = [("team", "a"), ("team", "b"), ("project/web", "w")];

/// The names that a key opens, by Debian's `age`.
pub fn opens(place: &Place, key: &str) -> String {
    let opened = SECRETS
        .iter()
        .filter(|(scope, name)| place.age(scope, name, key).is_some());
    opened.map(|(_, name)| *name).collect()
}

fn value(place: &Place, name: &str) -> String {
    let value = place
        .age("team", name, "own")
        .unwrap_or_else(|| panic!("{name} opens"));
    String::from_utf8(value).unwrap()
}

/// Runs the fix, and expects it to succeed, and the check after it.
#[track_caller]
fn fixes(place: &Place) -> Ended {
    let fixed = place.with("own", "store check --fix").ok();
    place.with("own", "store check -q").gives(0, "", "");
    fixed
}

#[test]
fn each_branch_adds_a_member() {
    let (place, [own, ann, bob]) = store();
    by(
        &place,
        "own",
        &format!(
            "git checkout -qb theirs; doorkey store recipient add {ann} --name ann; put c new; keep ann
            git checkout -q ours; doorkey store recipient add {bob} --name bob; put a new; keep bob
            both"
        ),
    );
    let fixed = fixes(&place);
    let said = "doorkey: settled what git left in conflict: recipients.txt, project/web/w, team/a, team/b; look at it, then git add it and commit\n\
        doorkey: encrypted anew for those of their lists: team/c\n";
    assert!(fixed.err().starts_with(said), "{}", fixed.err());
    for key in ["own", "ann", "bob"] {
        assert_eq!(opens(&place, key), "abw", "{key}");
        assert_eq!(place.age("team", "c", key).unwrap(), b"new");
    }
    assert_eq!(value(&place, "a"), "new");
    let list = fs::read_to_string(place.path("secrets/recipients.txt")).unwrap();
    let end = format!("{own}\n# bob\n{bob}\n# ann\n{ann}\n");
    assert!(list.ends_with(&end), "{list}");
    // The same again changes nothing. The index is left to the person.
    let before = place.contents();
    fixes(&place);
    assert!(place.contents() == before);
    by(
        &place,
        "own",
        "test \"$(git ls-files -u | wc -l)\" -gt 0; keep merged; doorkey store check",
    );
}

/// Whoever leaves on one branch opens nothing after a merge, whatever the other branch has done for
/// them: it has added others, set values, and begun a list for a project.
#[test]
fn a_leaver_leaves_on_both_branches() {
    for merged in ["theirs", "ours"] {
        let (place, [_, ann, bob]) = store();
        let ci = place.key("ci");
        by(
            &place,
            "own",
            &format!(
                "doorkey store recipient add {bob} --name bob; keep bob
                git checkout -qb theirs
                doorkey store recipient add {ann} --name ann; put a secret; put n new
                doorkey store recipient add {ci} --name ci -p web; keep added
                git checkout -q ours; doorkey store recipient remove bob --everywhere; keep removed
                git checkout -q {merged}
                if git merge -q {other} >/dev/null 2>&1; then exit 1; fi",
                other = if merged == "ours" { "theirs" } else { "ours" },
            ),
        );
        let checked = place.with("own", "store check --fix -j").end();
        assert_eq!(checked.code(), 0, "{}", checked.err());
        assert_eq!(opens(&place, "bob"), "", "{merged}");
        assert_eq!(place.age("team", "n", "bob"), None);
        assert_eq!(
            (&*opens(&place, "ann"), &*opens(&place, "ci")),
            ("abw", "w")
        );
        assert_eq!(value(&place, "a"), "secret");
        for list in ["", "project/web/"] {
            let list = place.path(&format!("secrets/{list}recipients.txt"));
            assert!(!fs::read_to_string(list).unwrap().contains(&bob));
        }
        // All that bob could read on either branch is to be replaced, what was set there as well.
        let rotate = checked.json()["rotate"].as_array().unwrap().clone();
        let rotate: Vec<_> = rotate
            .iter()
            .map(|one| one["secret"].as_str().unwrap())
            .collect();
        assert_eq!(rotate, ["project/web/w", "team/a", "team/b", "team/n"]);
        by(&place, "own", "keep merged; doorkey store check");
    }
}

#[test]
fn values() {
    let (place, _) = store();
    by(
        &place,
        "own",
        "for name in same ours theirs both gone left kept; do put $name first; done; keep more
        git checkout -qb theirs
        for name in same theirs both add_both; do put $name theirs-$name; done
        printf same | doorkey secret set same --team; printf same | doorkey secret set add_same --team
        doorkey secret delete gone -g -y; put left changed; doorkey secret delete kept -g -y
        keep theirs; git checkout -q ours
        for name in ours both add_both; do put $name ours-$name; done
        printf same | doorkey secret set same --team; printf same | doorkey secret set add_same --team
        put gone first; doorkey secret delete left -g -y; put kept changed
        keep ours; both",
    );
    let before = place.contents();
    // A slip in a name changes nothing.
    let none = "doorkey: error: age:secrets: --ours and --theirs name secrets that git left in conflict: NAME, or SCOPE/NAME; nothing is changed\n";
    let wrong = place.with("own", "store check --fix --ours both --theirs nothere");
    wrong.fails(1, none);
    assert!(place.contents() == before);
    let needs = "doorkey: error: --ours and --theirs need --fix\n";
    place.with("own", "store check --ours both").fails(2, needs);
    let same = "doorkey: error: --ours and --theirs can't name the same secret\n";
    let run = place.with("own", "store check --fix --ours a --theirs both --theirs a");
    run.fails(2, same);

    let fixed = place.with("own", "store check --fix").end();
    assert_eq!(fixed.code(), 1);
    // Both times are git's.
    let time = |of: &str| {
        let git =
            format!("TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%ad {of}");
        by(&place, "own", &git).out().trim().to_owned()
    };
    let (ours, theirs) = (time("ours"), time("theirs"));
    let err = fixed.err();
    let errors: Vec<_> = err
        .lines()
        .filter(|line| line.contains(": error: "))
        .collect();
    let line = |name: &str, at: [&str; 2]| {
        let [one, other] = at;
        format!(
            "doorkey: error: team/{name}: both branches have changed it: ours has {one} at {ours}, theirs has {other} at {theirs}; give --ours team/{name}, or --theirs team/{name}"
        )
    };
    let set = ["set it", "set it"];
    let expected = [
        line("add_both", set),
        line("both", set),
        line("kept", ["set it", "removed it"]),
        line("left", ["removed it", "set it"]),
    ];
    assert_eq!(errors, expected);
    for (name, expected) in [
        ("same", "same"),
        ("add_same", "same"),
        ("ours", "ours-ours"),
        ("theirs", "theirs-theirs"),
    ] {
        assert_eq!(value(&place, name), expected, "{name}");
    }
    // Only encrypted anew on one branch, removed on the other: removed.
    assert_eq!(place.age("team", "gone", "own"), None);

    let words = "store check --fix --ours both --theirs team/add_both --ours kept --ours left";
    place.with("own", words).ok();
    assert_eq!(
        (&*value(&place, "both"), &*value(&place, "kept")),
        ("ours-both", "changed")
    );
    assert_eq!(
        (
            &*value(&place, "add_both"),
            place.age("team", "left", "own")
        ),
        ("theirs-add_both", None)
    );
    by(&place, "own", "keep merged; doorkey store check");
}

#[test]
fn a_list_that_nobody_leaves_stays_as_it_is() {
    let (place, [_, ann, _]) = store();
    by(
        &place,
        "own",
        &format!(
            "doorkey store recipient add {ann} -p web
            for list in secrets/recipients.txt secrets/project/web/recipients.txt; do
                sed -i 's/$/\r/' $list
            done
            keep ann; git checkout -qb theirs; put a theirs; keep theirs
            git checkout -q ours; put a ours; keep ours; both"
        ),
    );
    let lists = ["", "project/web/"].map(|list| format!("secrets/{list}recipients.txt"));
    let read = || {
        lists
            .each_ref()
            .map(|list| fs::read(place.path(list)).unwrap())
    };
    let before = read();
    assert!(before.iter().all(|list| list.contains(&b'\r')));
    place.with("own", "store check --fix --theirs a").ok();
    assert!(read() == before);
    assert_eq!(value(&place, "a"), "theirs");
}

#[test]
fn what_a_person_has_put_right_stays() {
    let (place, _) = store();
    by(
        &place,
        "own",
        "git checkout -qb theirs; put a theirs; put b theirs; keep theirs
        git checkout -q ours; put a ours; put b ours; keep ours; both
        put a mine",
    );
    let fixed = place.with("own", "store check --fix --theirs b").ok();
    assert!(fixed.err().contains("settled"), "{}", fixed.err());
    assert_eq!(
        (&*value(&place, "a"), &*value(&place, "b")),
        ("mine", "theirs")
    );
    let again = place.with("own", "store check --fix").ok();
    assert!(!again.err().contains(": error"), "{}", again.err());
    assert_eq!(
        (&*value(&place, "a"), &*value(&place, "b")),
        ("mine", "theirs")
    );
}

#[test]
fn what_the_key_does_not_open_is_said() {
    let (place, [_, ann, bob]) = store();
    by(
        &place,
        "own",
        &format!(
            "doorkey store recipient add {ann} --name ann -g; keep ann
            git checkout -qb theirs; doorkey store recipient add {bob}; put a theirs; keep theirs
            git checkout -q ours; put a ours; printf new | doorkey secret set w -p web; keep ours; both"
        ),
    );
    let before = fs::read(place.path("secrets/project/web/w.age")).unwrap();
    let fixed = place.with("ann", "store check --fix --ours a").end();
    let denied = format!("project/web/w: the version of ours: denied: the key {ann} (");
    assert!(fixed.err().contains(&denied), "{}", fixed.err());
    assert_eq!(fixed.code(), 1);
    assert_eq!(
        fs::read(place.path("secrets/project/web/w.age")).unwrap(),
        before
    );
    assert_eq!(value(&place, "a"), "ours");
    // Somebody else finishes.
    fixes(&place);
    assert_eq!(place.age("project/web", "w", "bob").unwrap(), b"new");
}

/// git rebase, cherry-pick and stash leave the same conflicts, of which one says less.
#[test]
fn other_ways_to_a_conflict() {
    for (way, leaves) in [
        ("git rebase -q theirs", "c"),
        ("git checkout -q theirs; git cherry-pick ours", "c"),
        (
            "git checkout -q ours~; git checkout -q theirs -- .; git stash -q; git checkout -q ours; git stash pop -q",
            "",
        ),
    ] {
        let (place, [_, ann, bob]) = store();
        let script = format!(
            "git checkout -qb theirs; doorkey store recipient add {ann} --name ann; put c new; keep ann
            git checkout -q ours; doorkey store recipient add {bob} --name bob; put a new; keep bob
            if ({way}) >/dev/null 2>&1; then exit 1; fi"
        );
        by(&place, "own", &script);
        place.with("own", "store check --fix").ok();
        for key in ["own", "ann", "bob"] {
            assert_eq!(opens(&place, key), "abw", "{way} {key}");
        }
        assert_eq!(value(&place, "a"), "new");
        let has = place.age("team", "c", "bob").is_some();
        assert!(has || leaves.is_empty(), "{way}");
    }
}

/// Two lists for a project that each branch has begun; and one that is nobody's.
#[test]
fn lists_of_scopes() {
    let (place, [own, ann, bob]) = store();
    by(
        &place,
        "own",
        &format!(
            "git checkout -qb theirs; doorkey store recipient add {ann} -p web; keep ann
            git checkout -q ours; doorkey store recipient add {bob} -p web; keep bob; both"
        ),
    );
    fixes(&place);
    for key in ["ann", "bob"] {
        assert_eq!(opens(&place, key), "w");
    }
    by(
        &place,
        "own",
        &format!(
            "keep merged; doorkey store recipient add {ann}; keep all; git branch -qD theirs
            git checkout -qb theirs; doorkey store recipient remove {ann} || :; keep ann
            git checkout -q ours; doorkey store recipient remove {own} || :; keep own; both"
        ),
    );
    let fixed = place.with("own", "store check --fix").end();
    let nobody = "doorkey: error: recipients.txt: git left a conflict, and both branches together leave no recipient; write who is to read it\n";
    assert!(fixed.err().contains(nobody), "{}", fixed.err());
}

/// A repository of somebody else's can't have anything run.
#[test]
fn nothing_of_the_repository_is_run() {
    let (place, _) = store();
    by(
        &place,
        "own",
        "git checkout -qb theirs; put a theirs; keep theirs
        git checkout -q ours; put a ours; keep ours; both
        echo 'touch \"$0.ran\"; exit 1' > evil; chmod +x evil
        for key in core.fsmonitor core.sshCommand core.pager core.editor gpg.program diff.external \\
            filter.x.clean filter.x.smudge diff.x.textconv core.askPass; do
            git config $key \"$PWD/evil\"
        done
        git config log.showSignature true
        echo '*.age filter=x diff=x' >> .git/info/attributes
        for hook in post-index-change reference-transaction pre-commit; do cp evil .git/hooks/$hook; done
        rm -f evil.ran .git/hooks/*.ran",
    );
    place.with("own", "store check --fix --theirs a").ok();
    assert_eq!(value(&place, "a"), "theirs");
    let ran = by(&place, "own", "find . -name '*.ran'").out();
    assert_eq!(ran, "");
}

/// A version that git does not have, as in a partial clone, is no removal of the secret.
#[test]
fn a_version_that_is_missing() {
    let (place, [_, ann, bob]) = store();
    let script = format!(
        "git checkout -qb theirs; doorkey store recipient add {ann} -q; keep ann
        git checkout -q ours; doorkey store recipient add {bob} -q; keep bob; both
        object=$(git rev-parse :3:secrets/team/a.age); echo $object
        cd .git/objects/; rm -f $(echo $object | sed 's|^..|&/|')"
    );
    let object = by(&place, "own", &script).out();
    let before = fs::read(place.path("secrets/team/a.age")).unwrap();
    let lacks = format!(
        "doorkey: error: age:secrets: git: its repository lacks {}, a version of a file; nothing is changed; git fetch --refetch may bring it\n",
        object.trim()
    );
    place.with("own", "store check --fix").gives(1, "", &lacks);
    let after = fs::read(place.path("secrets/team/a.age")).unwrap();
    assert!(before == after, "the file is as it was");
}

/// A hook of git's, or an alias, has variables about its own repository and folder.
#[test]
fn started_by_git_itself() {
    let (place, _) = store();
    by(
        &place,
        "own",
        "git checkout -qb theirs; put a theirs; keep theirs
        git checkout -q ours; put a ours; keep ours; both",
    );
    let fix = place.with("own", "store check --fix --theirs a");
    let fix = fix.env("GIT_DIR", ".git").env("GIT_PREFIX", "secrets/");
    fix.env("GIT_INDEX_FILE", ".git/index").ok();
    assert_eq!(value(&place, "a"), "theirs");
}

/// All versions together are larger than an answer of a program may be.
#[test]
fn large_files() {
    let (place, [own, ..]) = store();
    let script = format!(
        "fill() {{ for at in 1 2 3 4 5 6 7 8; do
            head -c 600000 /dev/zero | age -r {own} >secrets/team/large$at.age
        done; keep $1; }}
        git checkout -qb theirs; fill theirs; git checkout -q ours; fill ours; both"
    );
    by(&place, "own", &script);
    fixes(&place);
}
