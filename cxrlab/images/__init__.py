"""Files of pixels → one grey image; nothing here knows a label."""
