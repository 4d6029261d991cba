package browser_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"octopus/wasmplugins"
)

// What a line does with a connection that has carried a megabyte towards the server.
const (
	carry int32 = iota
	stall       // reads no further
	cut         // closes it
)

// line is the way to a server, which a test makes bad.
type line struct {
	url   string
	mood  atomic.Int32
	ended chan struct{} // closed at the end of the test
}

func newLine(t *testing.T, server string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{url: "http://" + listener.Addr().String(), ended: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			browser, err := listener.Accept()
			if err != nil {
				return // the test ended
			}
			wg.Go(func() { l.connect(browser, server) })
		}
	})
	t.Cleanup(func() {
		close(l.ended)
		listener.Close()
		wg.Wait()
	})
	return l
}

// connect joins two connections until one of them ends, or the test.
func (l *line) connect(browser net.Conn, address string) {
	defer browser.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		defer server.Close()
		l.carry(server, browser)
	})
	wg.Go(func() {
		defer browser.Close()
		io.Copy(browser, server)
	})
	over := make(chan struct{})
	go func() { wg.Wait(); close(over) }()
	select {
	case <-over:
	case <-l.ended:
	}
	browser.Close()
	server.Close()
	<-over
}

func (l *line) carry(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for sent := 0; ; {
		n, err := from.Read(buffer)
		if sent += n; sent > 1<<20 {
			switch l.mood.Load() {
			case stall:
				<-l.ended
				return
			case cut:
				return
			}
		}
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// TestUploadOnABadLine: a person sees how far a file is, stops it, loses the line, and is told what is wrong with the
// file, all with the file still chosen and the page still there; then it is good, and its contents are shown.
func TestUploadOnABadLine(t *testing.T) {
	t.Parallel()
	d := startDev(t)
	b := d.signIn(t)
	b.refused = true
	l := newLine(t, d.address)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	good, err := wasmplugins.Pack(noop, []byte(strings.Replace(manifest, `"mine"`, `"slow"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	choose := func(name string, content []byte) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		b.do("choose "+name, chromedp.SetUploadFiles(testID("module"), []string{path}))
		b.waitText(css("upload-form"), name)
	}
	chosen := func(name string) {
		t.Helper()
		b.marked()
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("[data-testid=module]").files[0]?.name ?? "none"`))
		if err != nil || got != name {
			t.Errorf("chosen is %q, %v; want %s", got, err, name)
		}
	}
	b.do("open the form", chromedp.Navigate(l.url+"/upload"), chromedp.WaitVisible(testID("check")))
	b.mark()
	choose("large.wasm", append(append([]byte{}, noop[:8]...), make([]byte, 30<<20)...))

	l.mood.Store(stall)
	b.click("check")
	b.waitText(css("upload-progress"), "Uploading")
	b.waitText(css("upload-progress"), "of 30.0 MiB")
	b.click("upload-stop")
	b.waitText(css("upload-form"), "Stopped. Nothing of the file was kept.")
	chosen("large.wasm")

	l.mood.Store(cut)
	b.click("check")
	b.waitText(css("upload-form"), "The connection broke")
	chosen("large.wasm")

	l.mood.Store(carry)
	b.click("check")
	b.waitText(css("problem"), "large.wasm was not taken.")
	chosen("large.wasm")

	choose("slow.wasm", good)
	b.click("check")
	b.waitText(css("compared"), "A new plugin.")
}
