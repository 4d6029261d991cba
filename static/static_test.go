package static

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func get(path, encoding string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestServed(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]string{
		"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8",
		"hx-sse.min.js": "text/javascript; charset=utf-8", "icons.svg": "image/svg+xml", "favicon.svg": "image/svg+xml",
		"inter-latin.woff2": "font/woff2", "inter.LICENSE": "text/plain; charset=utf-8",
	} {
		res := get(URL(name), "gzip, br")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s", name, res.StatusCode, res.Header.Get("Content-Type"))
		}
		if !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s is not kept", name)
		}
		if packed := res.Header.Get("Content-Encoding") == "gzip"; packed == (name == "inter-latin.woff2") {
			t.Errorf("%s: compressed is %v", name, packed)
		}
	}
	if res := get(URL("app.css"), ""); res.Header.Get("Content-Encoding") != "" {
		t.Error("compressed for a browser that cannot read it")
	}
	if res := get(Prefix+"old/app.css", ""); res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-cache" {
		t.Error("an older page's file is kept for ever")
	}
	if res := get(URL("../static.go"), ""); res.StatusCode != http.StatusNotFound {
		t.Error("more than the files is served")
	}
}

// TestIcons finds icons that a template names and the sprite lacks.
func TestIcons(t *testing.T) {
	t.Parallel()
	sprite, err := files.ReadFile("lib/icons.svg")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`Icon\("([a-z0-9-]+)"\)|@Empty\("([a-z0-9-]+)"|@Note\("[a-z]+", "([a-z0-9-]+)"|return "([a-z]+-[a-z-]+)"$|Icon: "([a-z0-9-]+)"`)
	var sources []string
	for _, pattern := range []string{"../views/*.templ", "../views/page.go", "../server/web/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, found...)
	}
	if len(sources) < 20 {
		t.Fatalf("only %d sources found", len(sources))
	}
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			for _, match := range named.FindAllStringSubmatch(line, -1) {
				name := strings.Join(match[1:], "")
				if !strings.Contains(string(sprite), `id="`+name+`"`) {
					t.Errorf("%s: the sprite has no icon %q", path, name)
				}
			}
		}
	}
}

// TestNothingForeign: the policy allows nothing from elsewhere, so nothing may ask for it.
func TestNothingForeign(t *testing.T) {
	t.Parallel()
	sheets, err := fs.Glob(files, "css/*.css")
	if err != nil || len(sheets) != len(sheet) {
		t.Errorf("%d style sheets, and app.css is made of %d (%v)", len(sheets), len(sheet), err)
	}
	scripts, err := fs.Glob(files, "*.js")
	if err != nil || len(scripts) < 2 {
		t.Errorf("%d scripts (%v)", len(scripts), err)
	}
	for _, name := range append(append(sheets, scripts...), "lib/icons.svg", "lib/favicon.svg") {
		raw, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http://", "https://", "eval(", "new Function", "@import", "style="} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
}
