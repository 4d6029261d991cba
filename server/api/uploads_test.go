package api_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/sdk"
	"octopus/server/store/storetest"
	"octopus/wasmplugins"
)

// packedAs makes a module that differs in its description.
func packedAs(t *testing.T, name, version, description string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, fmt.Appendf(nil, `{"schema":"octopus.plugin/v1","abi":1,"name":%q,"version":%q,"description":%q,"actions":[{"name":"run"}]}`,
		name, version, description))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// wire sends bytes as they are over a connection of its own; half closes our side after them. It returns what the server
// answers, however much of the body it has.
func (w *world) wire(t *testing.T, head string, body []byte, half bool) (status int, problem sdk.Problem) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := "POST /api/v1" + head + "\r\nHost: octopus.test\r\nContent-Type: application/wasm\r\nAuthorization: Bearer " + w.token + "\r\n\r\n"
	if _, err := conn.Write(append([]byte(request), body...)); err != nil {
		t.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && half {
		if err := tcp.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(raw, &problem) != nil {
		t.Fatalf("%d %s, %v", res.StatusCode, raw, err)
	}
	return res.StatusCode, problem
}

// TestBrokenUploads: what does not arrive whole is refused whole, in a sentence, and what is no module while it is on its
// way: the server does not wait for the rest, which here never comes.
func TestBrokenUploads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	module := packedAs(t, "cut", "1.0.0", "Cut")
	half, n := module[:len(module)/2], len(module)
	zip := append([]byte("PK\x03\x04\x14\x00"), make([]byte, 1000)...)
	chunk := func(b []byte) []byte { return fmt.Appendf(nil, "%x\r\n%s\r\n", len(b), b) }
	cases := []struct {
		name, head string
		body       []byte
		closed     bool // our side, after the body
		status     int
		says       string
	}{
		{"cut midway", fmt.Sprintf(" HTTP/1.1\r\nContent-Length: %d", n), half, true, 400, "ended before its announced length. Nothing of it was kept"},
		{"cut between chunks", " HTTP/1.1\r\nTransfer-Encoding: chunked", chunk(half), true, 400, "ended before its announced length"},
		{"cut inside a chunk", " HTTP/1.1\r\nTransfer-Encoding: chunked", chunk(module)[:n/2], true, 400, "ended before its announced length"},
		{"no byte", fmt.Sprintf(" HTTP/1.1\r\nContent-Length: %d", n), nil, true, 400, "ended before its announced length"},
		{"announced too short", fmt.Sprintf(" HTTP/1.1\r\nContent-Length: %d", n/2), module, true, 422, ""},
		{"announced too large", " HTTP/1.1\r\nContent-Length: 50331648", nil, false, 413, "The module has 48MiB; this server takes at most 32MiB (plugins.max_module)."},
		{"an archive", " HTTP/1.1\r\nContent-Length: 30000000", zip, false, 422, "a zip archive, and nothing is unpacked here"},
		{"an archive, in chunks", " HTTP/1.1\r\nTransfer-Encoding: chunked", chunk(zip), false, 422, "a zip archive"},
		{"compressed on the way", " HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 30000000", append([]byte("\x1f\x8b\x08"), make([]byte, 600)...), false, 415, "must not be compressed: send it as it is"},
		{"compressed", " HTTP/1.1\r\nContent-Length: 30000000", append([]byte("\x1f\x8b\x08"), make([]byte, 600)...), false, 422, "compressed with gzip"},
	}
	t.Run("all", func(t *testing.T) {
		for _, tc := range cases {
			for _, path := range []string{"/plugins", "/submissions"} {
				t.Run(tc.name+path, func(t *testing.T) {
					t.Parallel()
					status, p := w.wire(t, path+tc.head, tc.body, tc.closed)
					if status != tc.status || p.Status != tc.status || !strings.Contains(p.Detail, tc.says) || !strings.HasSuffix(p.Detail, ".") {
						t.Errorf("%d %+v, want %d with %q", status, p, tc.status, tc.says)
					}
				})
			}
		}
	})
	subs, err := w.client.Submissions(t.Context(), sdk.SubmissionFilter{})
	if err != nil || len(subs.Items) > 0 {
		t.Errorf("kept: %+v, %v", subs.Items, err)
	}
	if _, err := w.client.Plugin(t.Context(), "cut"); !sdk.IsNotFound(err) {
		t.Errorf("published: %v", err)
	}
}

// TestEndlessUpload: a body without an end is refused at the limit, while it is still being sent.
func TestEndlessUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/api/v1/plugins", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.Set("Content-Type", "application/wasm")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := writer.Write([]byte("\x00asm\x01\x00\x00\x00"))
		for zeroes := make([]byte, 64<<10); err == nil; { // until nobody takes it any more
			_, err = writer.Write(zeroes)
		}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(raw), "over the 32MiB that this server takes") {
		t.Errorf("%d %s, %v", res.StatusCode, raw, err)
	}
	reader.CloseWithError(errors.New("answered"))
	<-ended
}

// TestUploadsAtOnce: of uploads of one version at the same time the same bytes are one version, and of others one wins;
// the rest are told which version it is, who has it and since when. Two servers share the PostgreSQL.
func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		uploadsAtOnce(t, w, w.client)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		database := storetest.Postgres(t)
		w := newWorldOn(t, database)
		other := serve(t, database)
		uploadsAtOnce(t, w, w.client, other.as(w.token))
	})
}

// uploadAgain uploads as every client of ours does: a database that is busy with other servers is asked again.
func uploadAgain(t *testing.T, c *sdk.Client, module []byte) (v sdk.PluginVersion, err error) {
	for {
		var refused *sdk.Error
		v, err = c.UploadPlugin(t.Context(), module)
		if !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
			return v, err
		}
	}
}

func uploadsAtOnce(t *testing.T, w *world, servers ...*sdk.Client) {
	t.Helper()
	const each = 4
	for round := range 5 {
		same := packedAs(t, "same", fmt.Sprintf("1.0.%d", round), "Same")
		version := fmt.Sprintf("2.0.%d", round)
		var mu sync.Mutex
		var won, lost []string
		var wg sync.WaitGroup
		for i := range each * len(servers) {
			c := servers[i%len(servers)]
			wg.Go(func() {
				if v, err := uploadAgain(t, c, same); err != nil || v.Digest != wasmplugins.Digest(same) {
					t.Errorf("the same bytes: %+v, %v", v, err)
				}
			})
			differs := packedAs(t, "differs", version, fmt.Sprint(i))
			wg.Go(func() {
				v, err := uploadAgain(t, c, differs)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, v.Digest)
				case sdk.IsConflict(err):
					lost = append(lost, err.Error())
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 || len(lost) != each*len(servers)-1 {
			t.Fatalf("%d won, %q", len(won), lost)
		}
		for _, said := range lost {
			if !strings.Contains(said, "differs "+version+" was published with other content by ada on 20") {
				t.Errorf("a conflict says %q", said)
			}
		}
		v, err := w.client.PluginVersion(t.Context(), "differs", version)
		if err != nil || v.Digest != won[0] {
			t.Errorf("published: %+v, %v", v, err)
		}
	}
}

// TestSubmissionsAtOnce is the same for the review: each is tried in the sandbox first.
func TestSubmissionsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	same := packedAs(t, "same", "1.0.0", "Same")
	ids, lost := make([]string, 3), make([]string, 3)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			s, err := w.client.SubmitPlugin(t.Context(), same, "")
			if ids[i] = s.ID; err != nil {
				t.Error(err)
			}
		})
		differs := packedAs(t, "differs", "1.0.0", fmt.Sprint(i))
		wg.Go(func() {
			if _, err := w.client.SubmitPlugin(t.Context(), differs, ""); err != nil {
				lost[i] = err.Error()
			}
		})
	}
	wg.Wait()
	if ids[0] == "" || ids[1] != ids[0] || ids[2] != ids[0] {
		t.Errorf("the same bytes became %q", ids)
	}
	conflicts := 0
	for _, said := range lost {
		if strings.Contains(said, "differs 1.0.0 is in review already with other content, by ada since 20") {
			conflicts++
		} else if said != "" {
			t.Errorf("a conflict says %q", said)
		}
	}
	if conflicts != 2 {
		t.Errorf("of three different ones %d were refused: %q", conflicts, lost)
	}
}
