package web_test

import "slices"

// check is what is wrong with the page for users of keyboards and screen readers, and
// for those who need contrast; it looks at what is shown.
const check = `(() => {
	const faults = [], seen = (e) => e.checkVisibility({checkVisibilityCSS: true});
	const words = (e) => (e?.textContent ?? '').trim();
	const name = (e) => words({textContent: (e.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => words(document.getElementById(id))).join(' ')})
		|| e.getAttribute('aria-label')?.trim() || [...(e.labels ?? [])].map(words).join(' ')
		|| (['BUTTON', 'A', 'SUMMARY', 'LABEL'].includes(e.tagName) || ['button', 'tab', 'option'].includes(e.getAttribute('role')) ? words(e) : '') || e.title || e.alt || '';
	const where = (e) => e.tagName.toLowerCase() + (e.id ? '#' + e.id : '') + (e.className ? '.' + String(e.className).split(' ').join('.') : '') + ' "' + words(e).slice(0, 40) + '"';
	for (const e of document.querySelectorAll('button, a[href], input, select, textarea, dialog[open], [role=tab], [role=button], [role=img], [role=tablist], canvas, summary, [tabindex="0"]')) {
		if (seen(e) && !name(e)) faults.push('no name: ' + where(e));
	}
	for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) faults.push('changes the order of the Tab key: ' + where(e));
	for (const e of document.querySelectorAll('[onclick], [style*=javascript]')) faults.push('a script in the page: ' + where(e));
	const ids = new Map();
	for (const e of document.querySelectorAll('[id]')) ids.set(e.id, (ids.get(e.id) ?? 0) + 1);
	for (const [id, n] of ids) if (n > 1) faults.push(n + ' elements have the id ' + id);
	for (const e of document.querySelectorAll('[aria-controls], [aria-labelledby], [aria-describedby], label[for], output[for]')) {
		for (const attribute of ['aria-controls', 'aria-labelledby', 'aria-describedby', 'for']) {
			for (const id of (e.getAttribute(attribute) ?? '').split(' ')) if (id && !document.getElementById(id)) faults.push(attribute + ' of ' + where(e) + ' names ' + id + ', which is not there');
		}
	}
	const context = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
	const colour = (css) => { context.clearRect(0, 0, 1, 1); context.fillStyle = css; context.fillRect(0, 0, 1, 1); return context.getImageData(0, 0, 1, 1).data; };
	const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] / 255 + below[i] * (1 - top[3] / 255));
	const light = (c) => { const [r, g, b] = c.map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
	const behind = (e) => { const stack = []; for (; e; e = e.parentElement) stack.push(colour(getComputedStyle(e).backgroundColor)); return stack.reverse().reduce((below, top) => over(top, below), [255, 255, 255]); };
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = texts.nextNode();) {
		const e = n.parentElement;
		if (!n.data.trim() || !seen(e) || e.closest('.sr, .skip, :disabled, option, svg') || document.querySelector('dialog[open]') && !e.closest('dialog')) continue;
		const back = behind(e), style = getComputedStyle(e), [a, b] = [light(over(colour(style.color), back)), light(back)].sort((x, y) => y - x);
		const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700;
		if ((a + .05) / (b + .05) < (large ? 3 : 4.5) - .005) faults.push('contrast ' + ((a + .05) / (b + .05)).toFixed(2) + ': ' + where(e));
	}
	const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
	if (wide > 0) faults.push('the page is ' + wide + ' pixels wider than the window');
	return [...new Set(faults)];
})()`

// accessible holds what is shown now to the rules of check, in both themes and, for its
// width, on a narrow window.
func (p *page) accessible() {
	p.t.Helper()
	for _, theme := range []string{"light", "dark"} {
		eval[bool](p, `(document.documentElement.dataset.theme = "`+theme+`", true)`)
		for _, fault := range eval[[]string](p, check) {
			p.t.Errorf("%s theme: %s", theme, fault)
		}
	}
	p.size(400, 800)
	const wide = `[document.documentElement, ...document.querySelectorAll('dialog[open]')].map((e) => e.scrollWidth - e.clientWidth)`
	if over := slices.Max(eval[[]int](p, wide)); over > 0 {
		p.t.Errorf("the page or a dialog is %d pixels wider than a window of 400", over)
	}
	p.size(1200, 800)
}
