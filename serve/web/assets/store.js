// Conversations that are kept in this browser, in IndexedDB. Nothing of them is on the
// server.
let opening = null;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('foundling', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('conversations', { keyPath: 'id' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function run(mode, f) {
  const db = await open();
  return new Promise((resolve, reject) => {
    const t = db.transaction('conversations', mode);
    const request = f(t.objectStore('conversations'));
    t.oncomplete = () => resolve(request.result);
    t.onabort = () => reject(t.error);
  });
}

// list is all conversations, the last used first.
export const list = async () => (await run('readonly', (s) => s.getAll())).sort((a, b) => b.updated - a.updated);
export const save = (c) => run('readwrite', (s) => s.put(c));
export const remove = (id) => run('readwrite', (s) => s.delete(id));
