package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/settings"
	"octopus/server/auth"
	"octopus/server/cache"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// effect is what a setting is seen by, on a server that was started with the word. Those of one group share a server.
type effect struct {
	group, word string
	seen        func(t *testing.T, s *Server)
}

func effects(t *testing.T) map[string]effect {
	folder := t.TempDir()
	cert, key := certificate(t, folder)
	keys := filepath.Join(folder, "secrets.key")
	signs := filepath.Join(folder, "signing.key")
	region := func(name cache.Region) func(*testing.T, *Server) {
		return func(t *testing.T, s *Server) {
			i := slices.IndexFunc(s.cache.Stats(), func(r cache.RegionStats) bool { return r.Region == name })
			if ttl := s.cache.Stats()[i].TTL; ttl != 7*time.Second {
				t.Errorf("its TTL is %s", ttl)
			}
		}
	}
	all := workEffects()
	maps.Copy(all, pluginEffects(folder, signs))
	maps.Copy(all, map[string]effect{
		"server.listen": {"plain", "127.0.0.2:0", func(t *testing.T, s *Server) {
			if !strings.HasPrefix(s.Addr(), "127.0.0.2:") {
				t.Errorf("it listens on %s", s.Addr())
			}
			if resp, _ := get(t, newClient(t), s.URL()+"/healthz"); resp.StatusCode != 200 {
				t.Errorf("%s answers %d", s.URL(), resp.StatusCode)
			}
		}},
		"server.data":       {"plain", filepath.Join(folder, "data"), exists(filepath.Join(folder, "data"))},
		"database.url":      {"plain", filepath.Join(folder, "other.db"), exists(filepath.Join(folder, "other.db"))},
		"server.public_url": {"public", "https://octopus.example.com/", func(t *testing.T, s *Server) { want(t, s.URL(), "https://octopus.example.com") }},
		"server.tls_cert":   {"tls", cert, secure},
		"server.tls_key":    {"tls", key, secure},
		"server.trusted_proxies": {"plain", "10.0.0.0/8", func(t *testing.T, s *Server) {
			if !s.trusted("10.1.2.3") || s.trusted("127.0.0.1") {
				t.Error("it trusts others")
			}
		}},
		"server.dist": {"plain", folder, func(t *testing.T, s *Server) {
			if resp, _ := get(t, newClient(t), s.URL()+"/dist/octopus-linux-arm64"); resp.StatusCode != 200 {
				t.Errorf("answered %d", resp.StatusCode)
			}
		}},
		"cache.sessions": {"plain", "7s", region(cache.Sessions)}, "cache.plugins": {"plain", "7s", region(cache.Plugins)}, "cache.users": {"plain", "7s", region(cache.Users)},
		"cache.overview": {"plain", "7s", region(cache.Overview)}, "cache.broadcast": {"plain", "7s", region(cache.Broadcast)}, "cache.plugin_data": {"plain", "7s", region(cache.PluginData)},
		"secrets.key_file": {"plain", keys, func(t *testing.T, s *Server) {
			if _, err := s.vault.Set(t.Context(), "a", "1234", "ada"); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(keys); err != nil {
				t.Error(err)
			}
		}},
	})
	return all
}

// pluginEffects are the effects of settings that are about plugins: folder is where they are looked for, signs the key.
func pluginEffects(folder, signs string) map[string]effect {
	return map[string]effect{
		"plugins.grant_builtins": {"plain", "true", func(t *testing.T, s *Server) {
			v, err := s.catalog.Resolve(t.Context(), "noop", "")
			if err != nil || v.Grant == nil {
				t.Errorf("%+v %v", v.Grant, err)
			}
		}},
		"plugins.self_review": {"plain", "true", func(t *testing.T, s *Server) {
			for _, name := range []string{"first-admin", "second-admin"} {
				if _, err := s.auth.CreateUser(t.Context(), auth.Local("test"), auth.NewUser{Username: name, Password: "correct horse", Role: octopus.RoleAdmin}); err != nil {
					t.Fatal(err)
				}
			}
			if alone, err := s.catalog.MayReviewAlone(t.Context(), "first-admin"); err != nil || !alone {
				t.Errorf("%v %v", alone, err)
			}
		}},
		"plugins.dir": {"plain", folder, func(t *testing.T, s *Server) {
			if r, err := s.folder.Rescan(t.Context()); err != nil || r.Dir != folder {
				t.Errorf("%+v %v", r, err)
			}
		}},
		"plugins.dir_publish": {"plain", "true", func(t *testing.T, s *Server) { want(t, s.cfg.PublishFound, true) }},
		"plugins.ring":        {"plain", "canary", func(t *testing.T, s *Server) { want(t, s.catalog.DefaultRing(), octopus.RingCanary) }},
		"plugins.signing_key": {"plain", signs, func(t *testing.T, _ *Server) {
			if _, err := os.Stat(signs); err != nil {
				t.Error(err)
			}
		}},
		"plugins.max_module": {"plain", "1KiB", func(t *testing.T, s *Server) {
			if _, err := s.catalog.Upload(t.Context(), make([]byte, 1025), "ada"); octopus.CodeOf(err) != octopus.CodeTooLarge {
				t.Errorf("upload: %v", err)
			}
		}},
		"plugins.max_timeout": {"plain", "2m", func(t *testing.T, s *Server) {
			_, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{Work: octopus.Work{Plugin: "noop", Action: "run", Timeout: 3 * time.Minute}})
			if octopus.CodeOf(err) != octopus.CodeInvalid || !strings.Contains(err.Error(), "limit") {
				t.Errorf("a longer timeout: %v", err)
			}
		}},
	}
}

// workEffects are the effects of settings that are seen by what runs.
func workEffects() map[string]effect {
	return map[string]effect{
		"agents.lost_after": {"plain", "77s", func(t *testing.T, s *Server) { want(t, noop(t, s, octopus.Target{}).LostAfter, 77*time.Second) }},
		"tasks.wait_any": {"plain", "77s", func(t *testing.T, s *Server) {
			x := noop(t, s, octopus.Target{})
			want(t, x.WaitUntil.Sub(x.CreatedAt), 77*time.Second)
		}},
		"tasks.wait_agent": {"plain", "88s", func(t *testing.T, s *Server) {
			hash := []byte("the hash of a join token")
			if err := s.store.CreateJoinToken(t.Context(), octopus.JoinToken{ID: octopus.NewID(octopus.PrefixToken, s.started), Hash: hash}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.store.Enrol(t.Context(), hash, octopus.Agent{ID: octopus.NewID(octopus.PrefixAgent, s.started), Name: "web-01", PublicKey: make([]byte, 32)}); err != nil {
				t.Fatal(err)
			}
			x := noop(t, s, octopus.Target{Mode: octopus.TargetAgent, Agent: "web-01"})
			want(t, x.WaitUntil.Sub(x.CreatedAt), 88*time.Second)
		}},
		"agents.lost_after_retry": {"plain", "66s", func(t *testing.T, s *Server) {
			x, err := submit(t, s, octopus.Work{Plugin: "echo", Action: "echo", Params: []byte(`{"message":"x"}`), OnLost: octopus.OnLostRetry})
			if octopus.CodeOf(err) == octopus.CodeNotFound {
				t.Skip("built without plugins")
			}
			want(t, x.LostAfter, 66*time.Second)
		}},
		"tasks.retention": {"plain", "1m", func(t *testing.T, s *Server) {
			x := noop(t, s, octopus.Target{})
			if _, err := s.dispatch.Cancel(t.Context(), x.ID, "ada"); err != nil {
				t.Fatal(err)
			}
			spent := octopus.JoinToken{ID: "tok_spent", Hash: []byte("spent"), ExpiresAt: s.store.Now()}
			if err := s.store.CreateJoinToken(t.Context(), spent); err != nil {
				t.Fatal(err)
			}
			kept := func() bool {
				tokens, err := s.store.JoinTokens(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				return slices.ContainsFunc(tokens, func(j octopus.JoinToken) bool { return j.ID == spent.ID })
			}
			s.purge(t.Context())
			if _, err := s.store.Execution(t.Context(), x.ID); err != nil || !kept() {
				t.Errorf("purged before its time: %v", err)
			}
			s.cfg.Retention = -time.Minute // as if a minute had passed
			s.purge(t.Context())
			if kept() {
				t.Error("the join token is still there")
			}
			if _, err := s.store.Execution(t.Context(), x.ID); octopus.CodeOf(err) != octopus.CodeNotFound {
				t.Errorf("not purged: %v", err)
			}
		}},
	}
}

// TestSettingsTakeEffect starts a server for each setting. A setting that is neither here nor tested where it says
// fails the test.
func TestSettingsTakeEffect(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"server.require_https": "TestRefusesToStart", "backups.folder": "server/backup", "backups.every": "server/backup", "backups.keep": "server/backup",
		"agents.heartbeat": "e2e TestAgentSettings", "tasks.retry_backoff": "e2e TestAgentSettings", "tasks.cancel_grace": "e2e TestAgentSettings",
		"tasks.timeout": "e2e TestAgentSettings", "agents.connects_per_second": "server/hub",
		"logging.level": "internal/logging", "logging.format": "internal/logging", "logging.file": "internal/logging", "logging.size": "internal/logging", "logging.count": "internal/logging",
	}
	tests := effects(t)
	groups := map[string][]string{}
	all := Defaults()
	for _, key := range settings.New(&all).Keys() {
		tc, here := tests[key]
		if !here && elsewhere[key] == "" {
			t.Errorf("nothing tests that %s takes effect", key)
		}
		if !here {
			continue
		}
		groups[tc.group] = append(groups[tc.group], key)
	}
	for name, keys := range groups {
		t.Run(name, func(t *testing.T) {
			cfg := quiet(t)
			set := settings.New(&cfg)
			for _, key := range keys {
				if err := set.Lookup(key).Set(tests[key].word); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := set.Resolve(settings.Layers{}); err != nil {
				t.Fatal(err)
			}
			s := running(t, cfg)
			for _, key := range keys {
				t.Run(key, func(t *testing.T) { tests[key].seen(t, s) })
			}
		})
	}
}

func want[T comparable](t *testing.T, got, wanted T) {
	t.Helper()
	if got != wanted {
		t.Errorf("%v, want %v", got, wanted)
	}
}

func exists(path string) func(*testing.T, *Server) {
	return func(t *testing.T, _ *Server) {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("there is no %s", path)
		}
	}
}

// noop submits work for an agent that does not come, and returns its execution.
func noop(t *testing.T, s *Server, target octopus.Target) octopus.Execution {
	t.Helper()
	x, err := submit(t, s, octopus.Work{Plugin: "noop", Action: "run", Target: target})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func submit(t *testing.T, s *Server, work octopus.Work) (octopus.Execution, error) {
	t.Helper()
	run, _, err := s.dispatch.Submit(t.Context(), dispatch.Submission{Work: work, By: "ada"})
	if err != nil {
		return octopus.Execution{}, err
	}
	list, _, err := s.store.RunExecutions(t.Context(), run.ID, store.Page{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%+v %v", list, err)
	}
	return s.store.Execution(t.Context(), list[0].ID)
}

func secure(t *testing.T, s *Server) {
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("it answers at %s", s.URL())
	}
	if resp, err := newClient(t).Get(s.URL()); err == nil || !strings.Contains(err.Error(), "certificate") {
		if err == nil {
			resp.Body.Close()
		}
		t.Errorf("a certificate that nobody signed: %v", err)
	}
}

// certificate makes one for this machine, and an executable's name beside it.
func certificate(t *testing.T, folder string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, "octopus-linux-arm64"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cert, key
}
