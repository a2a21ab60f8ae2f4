// One sentence in several languages, written for this page.
export const sentences = [
  ['English', 'Tomorrow morning we will walk along the river to the old market and buy fresh bread, apples and a little cheese for lunch.'],
  ['Deutsch', 'Morgen früh gehen wir am Fluss entlang zum alten Markt und kaufen frisches Brot, Äpfel und ein wenig Käse für das Mittagessen.'],
  ['Français', 'Demain matin, nous marcherons le long de la rivière jusqu’au vieux marché pour acheter du pain frais, des pommes et un peu de fromage pour le déjeuner.'],
  ['Español', 'Mañana por la mañana caminaremos junto al río hasta el viejo mercado y compraremos pan fresco, manzanas y un poco de queso para el almuerzo.'],
  ['Polski', 'Jutro rano pójdziemy wzdłuż rzeki na stary targ i kupimy świeży chleb, jabłka i trochę sera na obiad.'],
  ['Türkçe', 'Yarın sabah nehir boyunca eski pazara yürüyüp öğle yemeği için taze ekmek, elma ve biraz peynir alacağız.'],
  ['Suomi', 'Huomenaamulla kävelemme jokea pitkin vanhalle torille ja ostamme tuoretta leipää, omenoita ja vähän juustoa lounaaksi.'],
  ['Русский', 'Завтра утром мы пойдём вдоль реки на старый рынок и купим свежего хлеба, яблок и немного сыра на обед.'],
  ['Ελληνικά', 'Αύριο το πρωί θα περπατήσουμε δίπλα στο ποτάμι ως την παλιά αγορά και θα αγοράσουμε φρέσκο ψωμί, μήλα και λίγο τυρί για το μεσημεριανό.'],
  ['العربية', 'غدا صباحا سنمشي على طول النهر إلى السوق القديم ونشتري خبزا طازجا وتفاحا وقليلا من الجبن للغداء.'],
  ['हिन्दी', 'कल सुबह हम नदी के किनारे पुराने बाज़ार तक चलेंगे और दोपहर के खाने के लिए ताज़ी रोटी, सेब और थोड़ा पनीर खरीदेंगे।'],
  ['中文', '明天早上我们会沿着河走到老市场，买些新鲜的面包、苹果和一点奶酪当午饭。'],
  ['日本語', '明日の朝、私たちは川沿いを歩いて古い市場へ行き、昼食のために焼きたてのパンとりんごと少しのチーズを買います。'],
  ['한국어', '내일 아침 우리는 강을 따라 오래된 시장까지 걸어가서 점심으로 먹을 신선한 빵과 사과와 치즈를 조금 살 것입니다.'],
];
