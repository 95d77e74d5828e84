"""What pages are made of: the frame, the choices, the caches, the words, the forms and the figures."""
