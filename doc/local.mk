# Manual pages and guides.
