"""Pages by audience. They call one service or selector each and hold no rules; refusals become pages in `edge`."""
