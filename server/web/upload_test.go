package web

import (
	"archive/zip"
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

const boundary = "octopus-test-boundary"

// formOf is a form with one file, without the end of the form.
func formOf(content []byte) []byte {
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"module\"; filename=\"zone.wasm\"\r\nContent-Type: application/wasm\r\n\r\n"
	return append([]byte(head), content...)
}

// wire sends a form over a connection of its own, announces announced bytes, and closes its side where they are fewer.
func (b *browser) wire(body []byte, announced int) (status int) {
	b.t.Helper()
	r := b.form("/upload")
	for _, c := range b.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		b.t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\nSec-Fetch-Site: same-origin\r\nContent-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n\r\n",
		r.URL.Host, r.Header.Get("Cookie"), boundary, announced)
	if _, err := conn.Write(append([]byte(head), body...)); err != nil {
		b.t.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && len(body) < announced {
		if err := tcp.CloseWrite(); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		b.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func zone(t *testing.T, version string) []byte {
	t.Helper()
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, fmt.Appendf(nil, `{"schema":"octopus.plugin/v1","abi":1,"name":"zone","version":%q,"actions":[{"name":"run"}]}`, version))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

// TestBrokenUpload: a form that does not arrive whole keeps nothing, and says so.
func TestBrokenUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	author := s.as(octopus.RoleOperator)
	module := zone(t, "1.0.0")
	digest := strings.TrimPrefix(wasmplugins.Digest(module), "sha256:")
	whole := append(formOf(module), "\r\n--"+boundary+"--\r\n"...)
	for name, sent := range map[string][]byte{
		"in the file": whole[:len(whole)/2], "after the file": whole[:len(formOf(module))], "before the file": whole[:40], "nothing": nil,
	} {
		if status := author.wire(sent, len(whole)); status < 400 {
			t.Errorf("cut off %s: %d", name, status)
		}
		r := author.form("/upload")
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(sent), iotest.ErrReader(io.ErrUnexpectedEOF)))
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
		for _, c := range author.Jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		s.web.Routes().ServeHTTP(w, r)
		page{w.Result(), w.Body.String()}.has(t, http.StatusBadRequest, "cut off before its end, and nothing of it was kept")
		author.get("/upload/"+digest).has(t, http.StatusNotFound, "not kept any more")
	}
	if status := author.wire(whole, len(whole)); status != http.StatusSeeOther {
		t.Errorf("the whole form: %d", status)
	}
	author.get("/upload/"+digest).has(t, http.StatusOK, "Submit for review")
}

// TestRefusedUpload: an archive is not unpacked, and what is too large is not kept, with a form and with the page's script.
func TestRefusedUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	author := s.as(octopus.RoleOperator)
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	f, err := z.Create("plugin.wasm")
	if err == nil {
		_, err = f.Write(make([]byte, 16<<20))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	author.send(bomb.Bytes()).has(t, http.StatusUnprocessableEntity, "zone.wasm", "a zip archive, and nothing is unpacked here", "Check it")
	large := append([]byte("\x00asm\x01\x00\x00\x00"), make([]byte, 33<<20)...)
	author.send(large).has(t, http.StatusRequestEntityTooLarge, "over the 32MiB that this server takes", "Check it")
}

// TestUploadByScript: the page's own script is told where to go, and gets what is wrong as a fragment.
func TestUploadByScript(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	author := s.as(octopus.RoleOperator)
	script := func(content []byte) page {
		t.Helper()
		r := author.form("/upload")
		r.Body = io.NopCloser(bytes.NewReader(append(formOf(content), "\r\n--"+boundary+"--\r\n"...)))
		r.ContentLength = -1
		r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
		r.Header.Set("HX-Request", "true")
		r.Header.Set("HX-Request-Type", "partial")
		return author.do(r)
	}
	module := zone(t, "1.0.0")
	digest := strings.TrimPrefix(wasmplugins.Digest(module), "sha256:")
	if p := script(module); p.StatusCode != http.StatusNoContent || p.Header.Get("HX-Redirect") != "/upload/"+digest {
		t.Errorf("%d %v", p.StatusCode, p.Header)
	}
	refused := script([]byte("PK\x03\x04 and more"))
	refused.has(t, http.StatusUnprocessableEntity, "a zip archive", `data-testid="problem"`)
	if strings.Contains(refused.body, "<html") || refused.Header.Get("Content-Security-Policy") != policy {
		t.Errorf("not a fragment: %s", refused.body)
	}
	if _, err := s.catalog.Upload(t.Context(), module, "ada"); err != nil {
		t.Fatal(err)
	}
	if p := script(module); p.StatusCode != http.StatusNoContent || !strings.HasPrefix(p.Header.Get("HX-Redirect"), "/plugins/zone?version=1.0.0") {
		t.Errorf("known bytes: %d %v", p.StatusCode, p.Header)
	}
	author.get("/plugins/zone?version=1.0.0").has(t, http.StatusOK, "These very bytes are published already, as zone 1.0.0.")
	script(zone(t, "1.0.0+other")).has(t, http.StatusNoContent)
	author.post("/logout")
	if p := script(module); p.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(p.Header.Get("HX-Redirect"), "/login") {
		t.Errorf("signed out: %d %v", p.StatusCode, p.Header)
	}
}
