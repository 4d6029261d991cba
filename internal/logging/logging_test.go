package logging_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/internal/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, c logging.Config) (*slog.Logger, func() error, *bytes.Buffer) {
	t.Helper()
	var stderr bytes.Buffer
	log, end, err := c.Open(&stderr)
	if err != nil {
		t.Fatal(err)
	}
	return log, end, &stderr
}

func TestLevelAndFormat(t *testing.T) {
	t.Parallel()
	c := logging.Defaults()
	c.Level, c.Format = "warn", "json"
	log, end, stderr := open(t, c)
	defer end()
	log.Info("not this")
	log.Warn("but this")
	if text := stderr.String(); strings.Contains(text, "not this") || !strings.Contains(text, `"msg":"but this"`) {
		t.Errorf("the log is %q", text)
	}
	c.Format = "text"
	log, end, stderr = open(t, c)
	defer end()
	log.Error("and this")
	if !strings.Contains(stderr.String(), `msg="and this"`) {
		t.Errorf("the log is %q", stderr)
	}
}

// TestRotation: a file that has grown is put aside, the newest of those are kept, and nobody else reads them.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := logging.Defaults()
	c.File, c.Size, c.Count = filepath.Join(t.TempDir(), "logs", "server.log"), 1<<20, 2
	log, end, stderr := open(t, c)
	line := strings.Repeat("x", 64<<10)
	for range 70 { // over 4 MiB
		log.Info(line)
	}
	log.Info("the last line")
	if err := end(); err != nil { // waits until old files are gone
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(c.File), "*"))
	if err != nil || len(files) != 3 {
		t.Errorf("%q, want the log and two that were put aside (%v)", files, err)
	}
	for _, path := range files {
		info, err := os.Stat(path)
		if err != nil || info.Size() > c.Size || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", path, info, err)
		}
	}
	if raw, err := os.ReadFile(c.File); err != nil || !strings.Contains(string(raw), "the last line") || stderr.Len() > 0 {
		t.Errorf("the last line is not in the log (%v), %d bytes went to standard error", err, stderr.Len())
	}
}

// TestAppends: what an earlier process wrote stays.
func TestAppends(t *testing.T) {
	t.Parallel()
	c := logging.Defaults()
	c.File = filepath.Join(t.TempDir(), "server.log")
	for _, word := range []string{"first", "second"} {
		log, end, _ := open(t, c)
		log.Info(word)
		if err := end(); err != nil {
			t.Fatal(err)
		}
	}
	if raw, err := os.ReadFile(c.File); err != nil || !strings.Contains(string(raw), "first") || !strings.Contains(string(raw), "second") {
		t.Errorf("%q %v", raw, err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := logging.Config{Level: "loud", Format: "xml", Size: 1, Count: 0}
	err := c.Validate("logging.")
	for _, want := range []string{`logging.level is "loud"`, `logging.format is "xml"`, "logging.size", "logging.count"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	c = logging.Defaults()
	c.File = t.TempDir()
	if _, _, err := c.Open(nil); err == nil || !strings.Contains(err.Error(), "log file") {
		t.Errorf("a folder as the log file: %v", err)
	}
}
