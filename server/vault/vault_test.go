package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func open(t *testing.T) (*Vault, *store.Store) {
	t.Helper()
	s := storetest.Open(t)
	return New(Config{Store: s, KeyFile: filepath.Join(t.TempDir(), "keys", "secrets.key")}), s
}

func wantCode(t *testing.T, what string, err error, code octopus.Code) {
	t.Helper()
	if octopus.CodeOf(err) != code {
		t.Errorf("%s: %v has the code %q, want %q", what, err, octopus.CodeOf(err), code)
	}
}

func set(t *testing.T, v *Vault, name, value string) {
	t.Helper()
	if _, err := v.Set(t.Context(), name, value, "ada"); err != nil {
		t.Fatal(err)
	}
}

func wantValue(t *testing.T, v *Vault, name, want string) {
	t.Helper()
	got, err := v.Use(t.Context(), name, "http-check", "exe_1")
	if err != nil || got != want {
		t.Errorf("%s is %q, want %q: %v", name, got, want, err)
	}
}

// TestSecret: a value comes back, stays out of database and log, and its key file is the owner's alone.
func TestSecret(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	var log bytes.Buffer
	v.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := v.Check(t.Context()); err != nil {
		t.Errorf("nothing is stored yet: %v", err)
	}
	const value = "hunter2 hunter2"
	set(t, v, "api_token", value)
	wantValue(t, v, "api_token", value)
	stored, err := s.SecretNamed(t.Context(), "api_token")
	if err != nil || bytes.Contains(stored.Sealed.Data, []byte("hunter")) || stored.LastUsedBy != "http-check" {
		t.Errorf("%+v %v", stored, err)
	}
	if text := log.String(); strings.Contains(text, "hunter") || !strings.Contains(text, `secret=api_token`) || !strings.Contains(text, "by=ada") {
		t.Errorf("the log:\n%s", text)
	}
	info, err := os.Stat(v.ring.path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	set(t, v, "api_token", "other")
	wantValue(t, New(Config{Store: s, KeyFile: v.ring.path}), "api_token", "other")
	if err := v.Remove(t.Context(), "api_token", "ada"); err != nil {
		t.Error(err)
	}
	_, err = v.Use(t.Context(), "api_token", "http-check", "exe_1")
	wantCode(t, "a removed secret", err, octopus.CodeNotFound)
	for name, value := range map[string]string{"": "x", "a b": "x", "../x": "x", "-x": "x", "empty": "", "long": strings.Repeat("x", MaxSecret+1), "bytes": "\xff"} {
		_, err := v.Set(t.Context(), name, value, "ada")
		wantCode(t, name, err, octopus.CodeInvalid)
	}
}

// TestBound: no row can stand in for another, and none can be changed.
func TestBound(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	set(t, v, "cheap", "1234")
	set(t, v, "dear", "5678")
	cheap, err := s.SecretNamed(t.Context(), "cheap")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutSecret(t.Context(), "dear", cheap.Sealed, "eve"); err != nil {
		t.Fatal(err)
	}
	_, err = v.Use(t.Context(), "dear", "p", "exe_1")
	wantCode(t, "another's row", err, octopus.CodeInternal)
	for i := range cheap.Sealed.Data {
		changed := bytes.Clone(cheap.Sealed.Data)
		changed[i] ^= 1
		if _, ok := keyOf(bytes.Repeat([]byte{1}, keySize)).open(secretName("cheap"), changed); ok {
			t.Error("another key opened it")
		}
		k, err := v.ring.get(cheap.Sealed.KeyID)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := k.open(secretName("cheap"), changed); ok {
			t.Errorf("byte %d was changed, and nobody noticed", i)
		}
		if _, ok := k.open(secretName("cheap"), cheap.Sealed.Data[:i]); ok {
			t.Errorf("cut at %d, and nobody noticed", i)
		}
	}
}

// TestOtherKey: a server without the key says so, seals nothing with another, and goes on once it has the file.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	set(t, v, "a", "1234")
	other := New(Config{Store: s, KeyFile: filepath.Join(t.TempDir(), "secrets.key")})
	for what, err := range map[string]error{
		"check": other.Check(t.Context()),
		"use":   func() error { _, err := other.Use(t.Context(), "a", "p", "exe_1"); return err }(),
		"set":   func() error { _, err := other.Set(t.Context(), "b", "1234", "ada"); return err }(),
		"rotate": func() error {
			_, _, err := other.Rotate(t.Context(), "ada", false)
			return err
		}(),
	} {
		wantCode(t, what, err, octopus.CodeUnavailable)
		if err != nil && !strings.Contains(err.Error(), other.ring.path) {
			t.Errorf("%s does not name the file: %v", what, err)
		}
	}
	if _, err := os.Stat(other.ring.path); err == nil {
		t.Error("it made a key that opens nothing")
	}
	raw, err := os.ReadFile(v.ring.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(other.ring.path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	wantValue(t, other, "a", "1234")
	if err := os.WriteFile(other.ring.path, bytes.Replace(raw, []byte("key_"), []byte("key_0"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "damaged file", New(Config{Store: s, KeyFile: other.ring.path}).Check(t.Context()), octopus.CodeUnavailable)
}

// TestRotate: everything can be read with the new key, also by a server that has read the file before; what is lost
// is removed only where that was asked for.
func TestRotate(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	if _, _, err := v.Rotate(t.Context(), "ada", false); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("nothing to rotate: %v", err)
	}
	u := user(t, s, "ada")
	set(t, v, "a", "1234")
	if err := v.SetParams(t.Context(), u.ID, patch(`{"preferences":{"n":1}}`)); err != nil {
		t.Fatal(err)
	}
	second := New(Config{Store: s, KeyFile: v.ring.path})
	wantValue(t, second, "a", "1234")
	before, _ := s.SecretNamed(t.Context(), "a")
	id, done, err := v.Rotate(t.Context(), "ada", false)
	if err != nil || done.Kept != 2 || id == before.Sealed.KeyID {
		t.Fatalf("%s %+v %v", id, done, err)
	}
	after, _ := s.SecretNamed(t.Context(), "a")
	if after.Sealed.KeyID != id {
		t.Errorf("sealed with %s", after.Sealed.KeyID)
	}
	wantValue(t, second, "a", "1234")
	set(t, second, "b", "5678")
	if err := os.Remove(v.ring.path); err != nil {
		t.Fatal(err)
	}
	lost := New(Config{Store: s, KeyFile: v.ring.path})
	if _, done, err := lost.Rotate(t.Context(), "ada", true); err != nil || done.Removed != 3 || done.Kept != 0 {
		t.Errorf("%+v %v", done, err)
	}
	set(t, lost, "a", "again")
	wantValue(t, lost, "a", "again")
}

func user(t *testing.T, s *store.Store, name string) octopus.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), octopus.User{Username: name, Role: octopus.RoleAdmin, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func patch(text string) (p map[string]json.RawMessage) {
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	return p
}

// TestParams: categories are set, removed and left alone; plugins get those that they were granted.
func TestParams(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	u := user(t, s, "ada")
	check := func(want string, got map[string]json.RawMessage, err error) {
		t.Helper()
		if raw, _ := json.Marshal(got); err != nil || string(raw) != want {
			t.Errorf("%s, want %s: %v", raw, want, err)
		}
	}
	for _, step := range []struct{ patch, want string }{
		{`{"a":{"x":1},"b":{}}`, `{"a":{"x":1},"b":{}}`},
		{`{"a":{"y":2}}`, `{"a":{"y":2},"b":{}}`},
		{`{"b":null,"c":{"z":"ü"}}`, `{"a":{"y":2},"c":{"z":"ü"}}`},
	} {
		if err := v.SetParams(t.Context(), u.ID, patch(step.patch)); err != nil {
			t.Fatal(err)
		}
		got, err := v.Params(t.Context(), u.ID)
		check(step.want, got, err)
	}
	got, err := v.ParamsFor(t.Context(), "ada", []string{"c", "none"})
	check(`{"c":{"z":"ü"}}`, got, err)
	got, err = v.ParamsFor(t.Context(), "nobody", []string{"c"})
	check(`null`, got, err)
	many := map[string]json.RawMessage{}
	for i := range MaxCategories {
		many[string(rune('A'+i%26))+strings.Repeat("x", i)] = json.RawMessage("{}")
	}
	for name, bad := range map[string]map[string]json.RawMessage{
		"no object": patch(`{"a":[1]}`), "text": patch(`{"a":"b"}`), "name": patch(`{"a b":{}}`), "too many": many,
		"too large": patch(`{"d":{"x":"` + strings.Repeat("x", MaxParams) + `"}}`),
	} {
		wantCode(t, name, v.SetParams(t.Context(), u.ID, bad), octopus.CodeInvalid)
	}
	got, err = v.Params(t.Context(), u.ID)
	check(`{"a":{"y":2},"c":{"z":"ü"}}`, got, err)
}

// TestAdopt: what an older version stored in the clear is sealed, once.
func TestAdopt(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	u, err := s.CreateUser(t.Context(), octopus.User{Username: "ada", Role: octopus.RoleAdmin, PlainParams: json.RawMessage(`{"a":{"x":1},"b":2}`)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := v.Adopt(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	got, err := v.Params(t.Context(), u.ID)
	if err != nil || len(got) != 1 || string(got["a"]) != `{"x":1}` {
		t.Errorf("%s %v", got, err)
	}
	if u, err = s.User(t.Context(), "ada"); err != nil || len(u.PlainParams) != 0 {
		t.Errorf("%s is still in the clear: %v", u.PlainParams, err)
	}
}

// TestTouch: that a secret is used is written down once a minute, not at each use.
func TestTouch(t *testing.T) {
	t.Parallel()
	v, s := open(t)
	now := time.Now()
	v.now = func() time.Time { return now }
	set(t, v, "a", "1234")
	used := func() time.Time {
		t.Helper()
		wantValue(t, v, "a", "1234")
		got, err := s.SecretNamed(context.Background(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return got.LastUsed
	}
	first := used()
	now = now.Add(touchEvery / 2)
	if second := used(); !second.Equal(first) {
		t.Error("noted again within the minute")
	}
	now = now.Add(touchEvery)
	if third := used(); !third.After(first) {
		t.Error("not noted after the minute")
	}
}
