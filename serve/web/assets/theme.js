// Before anything is drawn: the theme that was chosen here, else the system's.
try {
  const theme = localStorage.getItem('foundling.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* a browser that keeps nothing */ }
