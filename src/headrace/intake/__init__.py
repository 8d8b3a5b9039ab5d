"""Files and profiles become checked activity lines and reference tables; no Django, no calculation."""
