package storetest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"

	"octopus/server/store"
)

// environment names a PostgreSQL to use instead of one that the tests start. Its user must be able to make
// databases.
const environment = "OCTOPUS_TEST_POSTGRES"

// startTimeout bounds how long a fresh PostgreSQL may take to answer.
const startTimeout = 30 * time.Second

// server is the PostgreSQL of this test process.
var server postgresServer

// postgresServer is a throw-away PostgreSQL, started when a test first asks for one.
type postgresServer struct {
	mu       sync.Mutex
	started  bool
	folder   string
	process  *exec.Cmd
	output   *bytes.Buffer
	base     string // URL of its maintenance database
	why      string // why there is none
	made     int    // databases
	template string // " TEMPLATE name" once a migrated database exists
}

// Postgres returns the URL of a fresh, migrated PostgreSQL database. It skips the test where no server can be had.
func Postgres(t testing.TB) string {
	t.Helper()
	return postgresURL(t, true)
}

// EmptyPostgres is Postgres without a schema.
func EmptyPostgres(t testing.TB) string {
	t.Helper()
	return postgresURL(t, false)
}

func postgresURL(t testing.TB, migrated bool) string {
	t.Helper()
	address, err := server.database(migrated)
	if errors.Is(err, errNone) {
		t.Skip("no PostgreSQL: " + server.missing())
	}
	if err != nil {
		t.Fatalf("PostgreSQL: %v", err)
	}
	return address
}

var errNone = errors.New("there is no PostgreSQL")

func (p *postgresServer) missing() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why
}

// database makes a database and returns its URL. Copying a migrated one is faster than migrating.
func (p *postgresServer) database(migrated bool) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.started {
		p.started = true
		p.start()
	}
	if p.why != "" {
		return "", errNone
	}
	if !migrated {
		return p.create("")
	}
	if p.template == "" {
		address, err := p.create("")
		if err != nil {
			return "", err
		}
		s, err := store.Open(context.Background(), store.Options{URL: address})
		if err != nil {
			return "", err
		}
		if err := s.Close(); err != nil {
			return "", err
		}
		p.template = fmt.Sprintf(" TEMPLATE octopus_%d_%d", os.Getpid(), p.made)
	}
	return p.create(p.template)
}

func (p *postgresServer) create(template string) (string, error) {
	db, err := sql.Open("pgx", p.base)
	if err != nil {
		return "", err
	}
	defer db.Close()
	p.made++
	name := fmt.Sprintf("octopus_%d_%d", os.Getpid(), p.made)
	if _, err := db.Exec("CREATE DATABASE " + name + template); err != nil {
		return "", err
	}
	address, err := url.Parse(p.base)
	if err != nil {
		return "", err
	}
	address.Path = "/" + name
	return address.String(), nil
}

// start finds or starts a server. What is missing goes to why.
func (p *postgresServer) start() {
	if p.base = os.Getenv(environment); p.base != "" {
		return
	}
	initdb, postgres := tool("initdb"), tool("postgres")
	if initdb == "" || postgres == "" {
		p.why = "initdb and postgres are not installed, and " + environment + " is not set"
		return
	}
	if err := p.launch(initdb, postgres); err != nil {
		p.why = err.Error()
		p.clean()
	}
}

// tool finds a program of PostgreSQL, on the path or where Debian keeps it.
func tool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(paths) == 0 {
		return ""
	}
	return slices.Max(paths)
}

func (p *postgresServer) launch(initdb, postgres string) error {
	var err error
	// A short path: the name of a socket is at most 107 bytes.
	if p.folder, err = os.MkdirTemp("", "octopg-"); err != nil {
		return err
	}
	if err := giveAway(p.folder); err != nil {
		return err
	}
	data := filepath.Join(p.folder, "data")
	setup := exec.Command(initdb, "--pgdata", data, "--username", "octopus", "--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync")
	setup.Dir = p.folder
	unprivileged(setup)
	if out, err := setup.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	p.output = new(bytes.Buffer)
	p.process = exec.Command(postgres, "-D", data, "-k", p.folder, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "max_wal_size=256MB")
	p.process.Dir, p.process.Stdout, p.process.Stderr = p.folder, p.output, p.output
	unprivileged(p.process)
	if err := p.process.Start(); err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	p.base = (&url.URL{Scheme: "postgres", User: url.User("octopus"), Path: "/postgres",
		RawQuery: url.Values{"host": {p.folder}, "sslmode": {"disable"}}.Encode()}).String()
	return p.await()
}

// await waits until the server answers.
func (p *postgresServer) await() error {
	db, err := sql.Open("pgx", p.base)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server that this process started.
func (p *postgresServer) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clean()
}

func (p *postgresServer) clean() {
	if p.process != nil && p.process.Process != nil {
		p.process.Process.Signal(os.Interrupt) // fast shutdown: ends sessions, then itself
		p.process.Wait()
		p.process = nil
	}
	if p.folder != "" {
		os.RemoveAll(p.folder)
		p.folder = ""
	}
}
