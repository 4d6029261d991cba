package views

// Login is the sign-in page.
type Login struct {
	Page
	Username string
	Next     string // where to go afterwards; a path of this server
	Problem  string
}

// LoginLink is the page behind a login link: one button, because opening a page must not spend the link.
type LoginLink struct {
	Page
	Secret   string
	Username string
	Problem  string
}

// Setup is the page of the very first user.
type Setup struct {
	Page
	Code, Username string
	Problem        string
	Fields         map[string]string // problems by field name
}

// Failure is a page that says in one sentence what went wrong.
type Failure struct {
	Page
	Code     int
	Heading  string
	Sentence string
}
