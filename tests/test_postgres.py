"""The trail in PostgreSQL, on a real server: its rules, its rights, what breaks a connection, what erasing leaves."""

import contextlib
import gc
import os
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trails import an_entry, is_chain, output, python, unguarded

from guardrails.audit import AuditTrail
from guardrails.audit._acts import erasure
from guardrails.audit._chain import link
from guardrails.audit._postgres import PostgresStore
from guardrails.audit._postgres_connection import _LOCK
from guardrails.audit._store import Entry, RefusedError, Text
from guardrails.errors import AuditError, ConfigurationError

psycopg = pytest.importorskip("psycopg")

pytest_plugins = ["stores"]

SECRET = b"The card is 4111 1111 1111 1111, she said."


def erase(store, *pairs):
    return store.append([erasure(None, pairs, by="M. Sato", reason="asked")])


@pytest.fixture
def store(database):
    opened = PostgresStore(database)
    yield opened
    opened.close()


@pytest.fixture
def sql(database):
    with psycopg.connect(database, autocommit=True) as db:
        yield db


@contextlib.contextmanager
def opened(database, **options):
    store = PostgresStore(database, **options)
    try:
        yield store
    finally:
        store.close()


# --- URLs


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://bank:s3cret@db/audit", "postgresql://bank@db/audit"),
        ("postgres://bank:s3cret@db:5432/audit?sslmode=require", "postgres://bank@db:5432/audit?sslmode=require"),
        ("postgresql://:s3cret@db/audit", "postgresql://@db/audit"),
        ("postgresql://db/audit?password=s3cret&user=bank", "postgresql://db/audit?user=bank"),
        ("postgresql://db/audit?user=bank&pass%77ord=s3cret", "postgresql://db/audit?user=bank"),
        ("postgresql://bank:s3cret@one:1,two:2/audit", "postgresql://bank@one:1,two:2/audit"),
        ("postgresql://bank:s3?cret@[::1]:5432/audit", "postgresql://bank@[::1]:5432/audit"),
        ("postgresql://bank@db/audit?sslpassword=s3cret", "postgresql://bank@db/audit"),
        ("postgresql:///audit?host=/run/postgresql", "postgresql:///audit?host=/run/postgresql"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_the_url_of_a_store_names_the_same_database_without_the_password(url, shown):
    parse = psycopg.conninfo.conninfo_to_dict
    assert PostgresStore(url).url == shown
    assert "s3" not in repr(AuditTrail.open(url))
    secrets = {"password", "sslpassword"}
    assert parse(shown) == {key: value for key, value in parse(url).items() if key not in secrets}


@given(password=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_no_password_is_in_the_url_of_a_store_however_it_is_written(password):
    quoted = quote(password, safe="")
    assert PostgresStore(f"postgresql://u:{quoted}@h/d?password={quoted}").url == "postgresql://u@h/d"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://bank:s3@cret@db/audit",
        "postgresql://bank:s3/cret@db/audit",
        "postgresql://bank:s3%zz@db/audit",
        "postgresql://bank:s3 cret@db/audit",
        "postgresql://bank:s3%00@db/audit",
        "postgresql://db:s3cret/audit",
    ],
)
def test_a_url_that_would_be_misread_is_a_configuration_error_that_repeats_nothing_of_it(url):
    with pytest.raises(ConfigurationError, match="Write postgresql://") as caught:
        PostgresStore(url)
    assert "s3" not in str(caught.value)


def test_a_url_that_libpq_does_not_take_is_a_configuration_error_without_the_password():
    with pytest.raises(ConfigurationError, match=r"colour.*Write") as caught:
        PostgresStore("postgresql://bank:s3cret@db/audit?colour=red").page(None, 1)
    assert "s3cret" not in str(caught.value)


def test_the_driver_is_imported_only_when_a_store_is_used_and_its_absence_is_explained():
    script = """
    from guardrails.audit._postgres import PostgresStore
    store = PostgresStore("postgresql://db/audit")
    assert "psycopg" not in sys.modules
    sys.modules["psycopg"] = None
    try:
        store.page(None, 1)
    except AuditError as error:
        print(error)
    """
    assert "pip install 'constitutional-guardrails[postgres]'" in output(python(script))


# --- Appending and reading


def test_reading_makes_nothing_and_says_that_there_is_no_trail(store, sql):
    with pytest.raises(AuditError, match=r"no audit trail in postgresql://.* yet"):
        store.page(None, 1)
    assert sql.execute("SELECT to_regnamespace('guardrails')").fetchone() == (None,)


def test_records_come_back_with_their_exact_bytes_and_texts(store):
    weird = 'a\0\ud800"\\é\U0001f600'
    entry = an_entry(weird, b"\0\xff", "\ud800".encode("utf-8", "surrogatepass"), labels=[weird])
    unkept = Text("original", b"salt", None)
    entry = Entry({**entry.fields, "number": 1}, (*entry.texts, unkept), "d" * 64, b"content")
    assert list(store.append([entry, an_entry("r2")])) == [1, 2]
    (first, second) = store.page(None, 10)
    assert (first.body, first.texts) == (entry.body(1), entry.texts)
    assert second.hash == link(first.hash, second.body)
    assert [store.constitution(digest) for digest in ("d" * 64, "e" * 64, "\0\ud800")] == [b"content", None, None]
    assert store.of_run(weird) == [first]
    assert store.find("a\0\ud800", 5) == [(weird, 1)]


def test_runs_are_found_by_prefix_in_order_of_their_bytes(store):
    runs = ["b", "a", "A", "a%", "a_", "aé", "a\\", "a\x7f"]
    store.append([an_entry(run) for run in runs])
    assert [run for run, _ in store.find("", 20)] == ["A", "a", "a%", "a\\", "a\x7f", "aé", "a_", "b"]
    assert [run for run, _ in store.find("a%", 20)] == ["a%"]
    assert store.find("a", 2) == [("a", 2), ("a%", 4)]
    assert store.find("\\", 2) == []


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_the_encoding_of_the_database_is_of_no_account(postgres, encoding):
    with opened(postgres.create(f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")) as store:
        entry = an_entry("aé日\U0001f600", b"\xff\0", "日本".encode())
        store.append([entry])
        assert store.of_run("aé日\U0001f600")[0].texts == entry.texts
        assert store.find("aé日", 1) == [("aé日\U0001f600", 1)]
        assert is_chain(store) == 1


# --- Rules


REFUSED = {
    "changing a record": "UPDATE guardrails.records SET hash = ''",
    "changing no record": "UPDATE guardrails.records SET hash = '' WHERE seq = 99",
    "deleting a record": "DELETE FROM guardrails.records WHERE seq = 2",
    "emptying records": "TRUNCATE guardrails.records",
    "replacing a record": "INSERT INTO guardrails.records (seq, body, hash) VALUES (2, '', '')"
    " ON CONFLICT (seq) DO UPDATE SET body = ''",
    "a record out of order": "INSERT INTO guardrails.records (seq, body, hash) VALUES (9, '{}', '')",
    "a record before the first": "INSERT INTO guardrails.records (seq, body, hash) VALUES (0, '{}', '')",
    "a record twice": "INSERT INTO guardrails.records (seq, body, hash) VALUES (3, '{}', '')",
    "a record without a number": "INSERT INTO guardrails.records (seq, body, hash) VALUES (NULL, '{}', '')",
    "a second outcome": """INSERT INTO guardrails.records (seq, body, hash)
                           VALUES (4, '{"run":"r1","seq":4,"status":"blocked"}', '')""",
    "computed columns": "INSERT INTO guardrails.records (seq, body, hash, run) VALUES (4, '{}', '', 'r9')",
    "changing a text": "UPDATE guardrails.texts SET text = ''",
    "deleting a text": "DELETE FROM guardrails.texts WHERE seq = 1",
    "deleting the newest text": "DELETE FROM guardrails.texts WHERE seq = 3",
    "emptying texts": "TRUNCATE guardrails.texts",
    "adding a text": "INSERT INTO guardrails.texts VALUES (1, 'x', '', '')",
    "adding a text later": "INSERT INTO guardrails.texts VALUES (3, 'x', '', '')",
    "a text of no record": "INSERT INTO guardrails.texts VALUES (99, 'x', '', '')",
    "changing a constitution": "UPDATE guardrails.constitutions SET content = ''",
    "deleting a constitution": "DELETE FROM guardrails.constitutions",
    "replacing a constitution": f"INSERT INTO guardrails.constitutions VALUES ('{'d' * 64}', '')",
    "changing the version": "UPDATE guardrails.meta SET value = '1'",
    "deleting the version": "DELETE FROM guardrails.meta",
    "adding to the version": "INSERT INTO guardrails.meta VALUES ('x', 'y')",
}


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_the_database_itself_refuses(store, sql, statement):
    with_content = an_entry("r3")
    with_content = Entry(with_content.fields, with_content.texts, "d" * 64, b"content")
    store.append([an_entry("r1"), an_entry("r2"), with_content])
    before = store.page(None, 10)
    with pytest.raises(psycopg.Error) as caught:
        sql.execute(statement)
    assert caught.value.sqlstate in {"GR001", "23505", "428C9"}
    assert store.page(None, 10) == before
    assert store.constitution("d" * 64) == b"content"


def test_texts_go_only_with_the_record_that_erases_them(store, sql):
    store.append([an_entry(f"r{n}") for n in range(1, 7)])
    erase(store, (2, 3), (5, 5))
    assert [record.seq for record in store.page(None, 10) if record.texts] == [1, 4, 6, 7]
    for seq in (1, 4, 6):
        with pytest.raises(psycopg.Error, match="only with the record"):
            sql.execute("DELETE FROM guardrails.texts WHERE seq = %s", [seq])
    with pytest.raises(psycopg.Error, match="only with the record"):
        sql.execute("DELETE FROM guardrails.texts")
    assert [record.seq for record in store.page(None, 10) if record.texts] == [1, 4, 6, 7]


def test_operators_of_the_callers_own_do_not_get_round_the_rules(store, sql):
    store.append([an_entry("r1"), an_entry("r2")])
    sql.execute("CREATE SCHEMA evil")
    sql.execute("CREATE FUNCTION evil.yes(bigint, int8multirange) RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    sql.execute("CREATE OPERATOR evil.<@ (LEFTARG = bigint, RIGHTARG = int8multirange, FUNCTION = evil.yes)")
    sql.execute("SET search_path = evil, pg_catalog")
    with pytest.raises(psycopg.Error, match="only with the record"):
        sql.execute("DELETE FROM guardrails.texts")


# --- Rights


@pytest.fixture
def roles(store, sql):
    """A trail with one record, and roles with the rights that the module's head grants."""
    store.append([an_entry("r1", SECRET), an_entry("r2")])
    (version,) = sql.execute("SELECT current_setting('server_version_num')::int").fetchone()
    for role in ("service", "eraser", "auditor"):
        sql.execute(f"CREATE ROLE {role} LOGIN")
        sql.execute(f"GRANT USAGE ON SCHEMA guardrails TO {role}")
        sql.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA guardrails TO {role}")
    sql.execute("GRANT INSERT ON guardrails.records, guardrails.texts, guardrails.constitutions TO service, eraser")
    sql.execute("GRANT DELETE ON guardrails.texts TO eraser")
    yield {"can scrub": version >= 170000}
    for role in ("service", "eraser", "auditor"):
        sql.execute(f"DROP OWNED BY {role}")
        sql.execute(f"DROP ROLE {role}")


def as_role(database, role):
    return opened(database.replace("postgres@", f"{role}@"))


def test_an_auditor_who_may_only_select_reads_and_verifies(roles, database):
    with as_role(database, "auditor") as store:
        assert AuditTrail(store).verify().records == 2
        assert store.find("r", 5) == [("r1", 1), ("r2", 2)]
        with pytest.raises(AuditError, match="grant"):
            store.append([an_entry("r3")])
        assert is_chain(store) == 2


def test_a_service_writes_with_insert_and_select_alone_and_erases_nothing(roles, database):
    entry = an_entry("r3")
    with as_role(database, "service") as store:
        assert list(store.append([Entry(entry.fields, entry.texts, "d" * 64, b"content")])) == [3]
        with pytest.raises(AuditError, match="grant"):
            erase(store, (1, 1))
        assert is_chain(store) == 3


def test_an_eraser_scrubs_where_it_may_and_is_told_where_it_may_not(roles, database, sql):
    with as_role(database, "eraser") as store:
        erase(store, (1, 1))
        with pytest.raises(AuditError, match=r"owner.*MAINTAIN.*erase the same run once more"):
            store.scrub()
        if roles["can scrub"]:
            sql.execute("GRANT MAINTAIN ON guardrails.texts TO eraser")
            store.scrub()


# --- Erasing for good


@pytest.fixture
def secret():
    """A text that no other test leaves in the server's files."""
    return os.urandom(16).hex().encode()


def files_with(postgres, needle):
    """The files of the server's databases that hold these bytes."""
    with postgres.sql() as db:
        db.execute("CHECKPOINT")
    return [path for path in (postgres.folder / "base").rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_nothing_of_an_erased_text_is_left_in_the_servers_files(postgres, store, sql, secret):
    store.append([an_entry("r1", secret), an_entry("r2", secret), an_entry("r3", b"It is.")])
    sql.execute("ANALYZE")
    assert files_with(postgres, secret)
    erase(store, (1, 2))
    assert files_with(postgres, secret)  # deleted, and still there
    store.scrub()
    assert files_with(postgres, secret) == []
    assert [record.seq for record in store.page(None, 10) if record.texts] == [3, 4]


def test_statistics_hold_no_text(store, sql):
    store.append([an_entry(f"r{n}", b"Yes") for n in range(50)])
    sql.execute("ANALYZE guardrails.texts")
    columns = sql.execute("SELECT attname FROM pg_stats WHERE schemaname = 'guardrails' AND tablename = 'texts'")
    assert {name for (name,) in columns} == {"seq", "path"}


def test_scrubbing_fails_loudly_while_somebody_may_still_see_the_text(postgres, database, store, sql, secret):
    store.append([an_entry("r1", secret)])
    with psycopg.connect(database) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1").fetchone()
        erase(store, (1, 1))
        pid = reader.info.backend_pid
        with pytest.raises(AuditError, match=rf"1 erased texts are kept.*session {pid}.*once more"):
            store.scrub()
        assert files_with(postgres, secret)
    store.scrub()
    assert files_with(postgres, secret) == []


def test_scrubbing_gives_up_where_a_lock_is_not_let_go(database, secret):
    with opened(database, timeout=0.2) as store, psycopg.connect(database) as reader:
        store.append([an_entry("r1", secret)])
        reader.execute("SELECT * FROM guardrails.texts").fetchall()
        erase(store, (1, 1))
        with pytest.raises(AuditError, match=r"locked.*once more"):
            store.scrub()
        reader.rollback()
        store.scrub()


# --- Many writers


def test_a_forked_child_leaves_its_parents_connection_alone(database):
    script = """
    import gc, multiprocessing
    from guardrails.audit._postgres import PostgresStore
    store = PostgresStore(sys.argv[1])
    store.append([an_entry("before")])
    pid = store._connection.run(lambda db: db.info.backend_pid)

    def child(name, drop):
        global store
        if drop:
            store = None
            gc.collect()
        else:
            store.append([an_entry(name)])
            store.close()

    fork = multiprocessing.get_context("fork")
    for name, drop in (("writes", False), ("drops", True)):
        process = fork.Process(target=child, args=(name, drop))
        process.start(); process.join()
        assert process.exitcode == 0
        store.append([an_entry(f"after {name}")])
    assert store._connection.run(lambda db: db.info.backend_pid) == pid
    print(is_chain(store)); store.close()
    """
    assert output(python(script, database)) == "4\n"


def test_a_child_forked_while_another_thread_writes_can_write(database):
    script = """
    import threading
    from guardrails.audit._postgres import PostgresStore
    store = PostgresStore(sys.argv[1])
    store.append([an_entry("first")])
    inside, go = threading.Event(), threading.Event()

    def hold(db):
        inside.set(); go.wait()

    thread = threading.Thread(target=lambda: store._connection.run(hold))
    thread.start(); inside.wait()
    child = os.fork()
    if child == 0:
        store.append([an_entry("child")])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    go.set(); thread.join()
    store.append([an_entry("parent")])
    print(is_chain(store)); store.close()
    """
    assert output(python(script, database)) == "3\n"


# --- What goes wrong


def test_after_a_restart_of_the_server_the_next_call_goes_on(postgres, store):
    store.append([an_entry("r1")])
    postgres.stop()
    postgres.start()
    assert list(store.append([an_entry("r2")])) == [2]
    postgres.stop()
    postgres.start()
    assert is_chain(store) == 2


def test_while_the_server_is_down_nothing_is_recorded_and_the_error_says_so(postgres, store):
    store.append([an_entry("r1")])
    postgres.stop()
    try:
        with pytest.raises(AuditError, match="Look whether the server runs"):
            store.append([an_entry("r2")])
        with pytest.raises(AuditError, match="cannot be read"):
            store.page(None, 1)
    finally:
        postgres.start()
    assert list(store.append([an_entry("r3")])) == [2]


def test_a_session_that_was_ended_meanwhile_is_replaced_and_the_record_stands_once(store, sql):
    store.append([an_entry("r1")])
    end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'guardrails'"
    assert sql.execute(end).fetchall() == [(True,)]
    assert list(store.append([an_entry("r2")])) == [2]
    assert is_chain(store) == 2


def hook(sql, body, timing="BEFORE INSERT ON guardrails.records"):
    """Have the server do something whenever a record is written."""
    sql.execute(f"CREATE FUNCTION hook() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$")
    kind = "CONSTRAINT TRIGGER" if "DEFERRED" in timing else "TRIGGER"
    sql.execute(f"CREATE {kind} a_hook {timing} FOR EACH ROW EXECUTE FUNCTION hook()")


def unhook(sql):
    sql.execute("DROP FUNCTION hook() CASCADE")


def test_a_connection_that_breaks_at_the_commit_leaves_the_record_unknown_and_is_not_tried_again(store, sql):
    store.append([an_entry("r1")])
    hook(
        sql,
        "PERFORM pg_terminate_backend(pg_backend_pid());",
        "AFTER INSERT ON guardrails.records DEFERRABLE INITIALLY DEFERRED",
    )
    with pytest.raises(AuditError, match="not known whether the record stands"):
        store.append([an_entry("r2")])
    unhook(sql)
    assert list(store.append([an_entry("r2")])) == [2]
    assert is_chain(store) == 2


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("53100", "disk is full; free space"),
        ("58030", "disk failed"),
        ("40001", "try again"),
        ("57014", "too slow"),
        ("XX001", "damaged"),
        ("42501", "grant"),
        ("P0001", "Look whether"),
    ],
)
def test_what_the_server_reports_comes_out_with_advice_and_without_details(store, sql, state, advice):
    store.append([an_entry("r1")])
    hook(sql, f"RAISE EXCEPTION 'no more' USING ERRCODE = '{state}', DETAIL = NEW.body;")
    with pytest.raises(AuditError, match=f"cannot be written: no more.*{advice}") as caught:
        store.append([an_entry("r2")])
    assert not isinstance(caught.value, RefusedError)
    assert "schema" not in str(caught.value)
    unhook(sql)
    assert list(store.append([an_entry("r2")])) == [2]


def test_who_waits_for_another_writer_in_vain_is_told(database, sql):
    with opened(database, timeout=0.2) as store:
        store.append([an_entry("r1")])
        sql.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        with pytest.raises(AuditError, match=r"lock timeout.*pg_locks"):
            store.append([an_entry("r2")])
        assert is_chain(store) == 1  # nobody waits to read
        sql.execute("SELECT pg_advisory_unlock_all()")
        assert list(store.append([an_entry("r2")])) == [2]


def test_a_server_that_takes_too_long_does_not_hold_up_a_call(database, sql):
    with opened(database, timeout=0.3) as store:
        store.append([an_entry("r1")])
        hook(sql, "PERFORM pg_sleep(60);")
        with pytest.raises(AuditError, match="too slow"):
            store.append([an_entry("r2")])
        unhook(sql)
        assert list(store.append([an_entry("r2")])) == [2]


def test_a_database_that_can_only_be_read_is_read(database, store, sql):
    store.append([an_entry("r1")])
    (name,) = sql.execute("SELECT current_database()").fetchone()
    sql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with opened(database) as other:
        with pytest.raises(AuditError, match="Name the primary"):
            other.append([an_entry("r2")])
        assert is_chain(other) == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://nobody@/{name}?host={folder}", "nobody"),
        ("postgresql://postgres@/nowhere?host={folder}", "nowhere"),
        ("postgresql://postgres@/{name}?host={folder}&port=1", "No such file"),
        ("postgresql://postgres:s3cret@127.0.0.1:1/{name}", "refused"),
    ],
)
def test_a_database_that_cannot_be_reached_is_named(postgres, url, said):
    store = PostgresStore(url.format(name="postgres", folder=postgres.folder))
    with pytest.raises(AuditError, match=f"{said}.*Look whether") as caught:
        store.append([an_entry()])
    assert "s3cret" not in str(caught.value)


def test_a_record_is_durable_whatever_the_database_is_set_to(database, store, sql):
    store.append([an_entry("r1")])
    (name,) = sql.execute("SELECT current_database()").fetchone()
    sql.execute("CREATE TABLE seen (what text)")
    show = "current_setting('synchronous_commit') || ' ' || current_setting('transaction_isolation')"
    hook(sql, f"INSERT INTO public.seen SELECT {show};")
    sql.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    for value in ("off", "local", "remote_apply"):
        sql.execute(f"ALTER DATABASE {name} SET synchronous_commit = {value}")
        with opened(database) as other:
            other.append([an_entry(value)])
    found = [what for (what,) in sql.execute("SELECT what FROM seen")]
    assert found == ["on read committed", "local read committed", "remote_apply read committed"]


def test_what_is_no_trail_is_left_alone(database, sql):
    sql.execute("CREATE SCHEMA guardrails")
    sql.execute("CREATE TABLE guardrails.rails (length int)")
    with opened(database) as other, pytest.raises(AuditError, match="not an audit trail"):
        other.append([an_entry("r2")])


def test_a_role_that_may_make_no_schema_uses_the_one_that_was_made_for_it(database, sql):
    sql.execute("CREATE ROLE maker LOGIN")
    with as_role(database, "maker") as store:
        with pytest.raises(AuditError, match=r"permission denied for database.*grant"):
            store.append([an_entry("r1")])
        sql.execute("CREATE SCHEMA guardrails AUTHORIZATION maker")
        assert list(store.append([an_entry("r1")])) == [1]
    sql.execute("DROP OWNED BY maker CASCADE")
    sql.execute("DROP ROLE maker")


# --- What was tampered with


def test_a_trail_that_was_tampered_with_comes_out_as_it_stands(database, store):
    store.append([an_entry(f"r{n}") for n in range(1, 6)])
    with unguarded(database) as db:
        db.execute("DELETE FROM guardrails.records WHERE seq IN (2, 5)")
        db.execute("INSERT INTO guardrails.records (seq, body, hash) VALUES (-7, 'no JSON', 'x')")
        db.execute("""INSERT INTO guardrails.records (seq, body, hash) VALUES (9, '{"run":"\\q","status":"x"}', '')""")
        db.execute("INSERT INTO guardrails.texts VALUES (?, 'x', '', 'y')", (2**63 - 1,))
    everything = [-7, 1, 2, 3, 4, 5, 9, 2**63 - 1]
    for limit in (1, 2, 3, 100):
        found, first = [], None
        while page := store.page(first, limit):
            found += page
            first = page[-1].seq + 1
        assert [record.seq for record in found] == everything
        assert [record.seq for record in found if not record.body] == [2, 5, 2**63 - 1]
    assert [record.seq for record in store.newest(None, 100)] == [9, 4, 3, 1]
    assert store.find("\\", 5) == []
    assert ("\\q", 9) in store.find("", 10)
    assert not AuditTrail(store).verify()


def test_a_record_put_beside_another_of_the_same_number_is_seen(database, store):
    store.append([an_entry(f"r{n}") for n in range(1, 4)])
    with unguarded(database) as db:
        db.execute("ALTER TABLE guardrails.records DROP CONSTRAINT records_pkey, ALTER hash DROP NOT NULL")
        db.execute("ALTER TABLE guardrails.texts ALTER salt DROP NOT NULL")
        db.execute("INSERT INTO guardrails.records (seq, body) VALUES (2, '{}')")
        db.execute("INSERT INTO guardrails.texts VALUES (2, 'x', NULL, 'y')")
    for limit in (1, 2, 100):
        assert [record.seq for record in store.page(2, limit) if record.seq == 2] == [2, 2]
    assert not AuditTrail(store).verify()


def test_a_store_that_is_dropped_ends_its_session(database, sql):
    store = PostgresStore(database)
    store.append([an_entry("r1")])
    pid = store._connection.run(lambda db: db.info.backend_pid)
    del store
    gc.collect()
    # Waits for the session to end, or fails after its five seconds.
    sql.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    assert sql.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() == (0,)
