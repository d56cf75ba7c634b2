"""``gan-sweep report``: one HTML file that needs nothing else. Each part is a file; `page` puts them together."""
